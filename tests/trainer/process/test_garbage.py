"""While libraries are loaded, nothing is searched for garbage, and their objects are left out of later searches."""

import gc

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


def test_what_was_loaded_is_left_out_of_later_searches(searched):
    with loading_libraries():
        loaded = ["a library"]
        assert not gc.isenabled()
    made_later = ["a row"]
    assert gc.isenabled()
    assert (is_searched(loaded), is_searched(made_later)) == (False, True)


def test_the_search_goes_on_after_a_library_that_cannot_be_loaded(searched):
    with pytest.raises(ImportError), loading_libraries():
        raise ImportError("no such library")
    assert gc.isenabled()
