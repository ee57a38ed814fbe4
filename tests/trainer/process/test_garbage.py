"""While libraries are loaded, nothing is searched for garbage, and their objects are left out of later searches."""

import gc
import sys
from types import ModuleType

import pytest
from alignment_trainer.process.garbage import loading_libraries


@pytest.fixture
def searched():
    """Let the search be on, and undo what a test leaves out of it."""
    gc.enable()
    yield
    gc.unfreeze()


def is_searched(wanted):
    return any(each is wanted for each in gc.get_objects())


def test_what_was_loaded_is_left_out_of_later_searches(searched, monkeypatch):
    with loading_libraries():
        loaded = ModuleType("a_library")
        monkeypatch.setitem(sys.modules, "a_library", loaded)
        assert not gc.isenabled()
    made_later = ["a row"]
    assert gc.isenabled()
    assert (is_searched(loaded), is_searched(made_later)) == (False, True)


def test_the_search_goes_on_after_a_library_that_cannot_be_loaded(searched):
    with pytest.raises(ImportError), loading_libraries():
        raise ImportError("no such library")
    assert gc.isenabled()


def test_where_nothing_is_loaded_all_objects_are_searched_later(searched):
    with loading_libraries():
        garbage = ["of a try that failed"]
    assert is_searched(garbage)


def test_a_search_that_was_off_stays_off(searched):
    gc.disable()
    with loading_libraries():
        pass
    assert not gc.isenabled()
    gc.enable()
