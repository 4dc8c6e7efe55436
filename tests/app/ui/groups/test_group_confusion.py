"""Which classes are taken for which, of few and of many classes."""

from __future__ import annotations

import numpy as np
from streamlit.testing.v1 import AppTest

from app.ui.groups import MOST, listed_text, mistakes

COUNTS = np.array([[7, 3, 0], [5, 4, 1], [0, 0, 8]])


def test_pairs_of_classes_come_with_the_most_frequent_mistake_first_and_never_a_right_prediction() -> None:
    found = mistakes(COUNTS)
    assert found[["true", "predicted", "n"]].to_numpy().tolist() == [[1, 0, 5], [0, 1, 3], [1, 2, 1]]
    assert found["share"].tolist() == [0.5, 0.3, 0.1]


def test_a_model_without_mistakes_has_none_to_list() -> None:
    assert mistakes(np.diag([3, 0, 2])).empty


def test_the_caption_says_what_is_left_out() -> None:
    counts = np.full((20, 20), 2)
    assert (
        listed_text(mistakes(counts))
        == f"{2 * MOST} of 760 mistakes: the {MOST} most frequent of 380 pairs of classes."
    )
    assert listed_text(mistakes(COUNTS)) == "All 9 mistakes."
    assert listed_text(mistakes(np.array([[3, 1], [0, 2]]))) == "The only mistake."


def test_many_classes_are_a_list_that_fits_a_page_whatever_their_number() -> None:
    def page() -> None:
        import numpy as np

        from app.ui import groups

        groups._mistakes("r-1", np.full((40, 40), 1), [f"class {k}" for k in range(40)])

    (table,) = AppTest.from_function(page).run().dataframe
    assert table.value.shape == (MOST, 4)
