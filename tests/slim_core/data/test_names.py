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
        ("waterbird, on land", 15, "water…, on land"),  # all of what follows the comma
        (
            "a bird of many names, environment 0 (test) (n = 36)",
            48,
            "a bird of many n…, environment 0 (test) (n = 36)",
        ),
        ("a yellow bird, on water", 13, "a yello…water"),
        ("one two three four", 8, "one…our"),  # no blanks beside the cut
    ],
)
def test_a_long_name_keeps_its_beginning_and_its_end_which_is_its_last_part_where_there_is_room(
    name: str, letters: int, shown: str
) -> None:
    assert shortened(name, letters) == shown and len(shown) <= letters
