"""The windows of a text predict each token once, and see what papers let them see."""

import pytest
from alignment_trainer.evaluation.windows import Window, windows

SITUATIONS = {
    "a text shorter than a window": ((5, 8, 8), [(0, 1, 5)]),
    "windows that do not overlap lose their first tokens": ((7, 3, 3), [(0, 1, 3), (3, 4, 6)]),
    "a last window that is not whole": ((8, 3, 3), [(0, 1, 3), (3, 4, 6), (6, 7, 8)]),
    "whole windows alone": ((6, 3, 3), [(0, 1, 3), (3, 4, 6)]),
    "overlapping windows predict what the one before did not": ((8, 4, 2), [(0, 1, 4), (2, 4, 6), (4, 6, 8)]),
    "an uneven stride": ((7, 4, 3), [(0, 1, 4), (3, 4, 7)]),
    "one token more than the windows": ((9, 4, 2), [(0, 1, 4), (2, 4, 6), (4, 6, 8), (6, 8, 9)]),
    "the smallest stride": ((5, 3, 1), [(0, 1, 3), (1, 3, 4), (2, 4, 5)]),
    "one token": ((1, 4, 4), []),
    "no token": ((0, 4, 4), []),
}


@pytest.mark.parametrize(("cut", "wanted"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_text_is_cut(cut: tuple[int, int, int], wanted: list[tuple[int, int, int]]) -> None:
    assert list(windows(*cut)) == [Window(*each) for each in wanted]


@pytest.mark.parametrize("tokens", range(2, 40, 3))
@pytest.mark.parametrize("size", [2, 5, 8])
def test_no_token_is_predicted_twice_and_none_is_forgotten_where_windows_overlap(tokens: int, size: int) -> None:
    for stride in range(1, size + 1):
        found = list(windows(tokens, size, stride))
        predicted = [position for window in found for position in range(window.first, window.end)]
        assert len(set(predicted)) == len(predicted)
        assert all(window.size <= size and window.start < window.first for window in found)
        if stride < size:
            assert predicted == list(range(1, tokens))
