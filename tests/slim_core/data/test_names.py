"""Names that are free, and long ones."""

import pytest

from slim_core.data.names import free, shortened


def test_a_taken_name_has_the_first_free_number_behind_it() -> None:
    assert free("cat", {"dog"}) == "cat"
    assert free("cat", {"cat", "cat (2)"}) == "cat (3)"


@pytest.mark.parametrize(
    ("name", "letters", "shown"),
    [
        ("waterbird, land", 15, "waterbird, land"),
        ("waterbird, on land", 15, "waterbir…n land"),
        ("a yellow bird, on water", 13, "a yello…water"),
        ("one two three four", 8, "one…our"),  # no blanks beside the cut
    ],
)
def test_a_long_name_keeps_its_beginning_and_its_end(name: str, letters: int, shown: str) -> None:
    assert shortened(name, letters) == shown and len(shown) <= letters
