"""What is said below the worst slices."""

from __future__ import annotations

import pandas as pd

from app.ui.groups import left_out


def test_mistakes_in_slices_that_are_too_small_to_be_ranked_are_counted_below_them() -> None:
    ranked = pd.DataFrame({"n": [87, 38], "correct": [87, 36]})
    assert left_out(ranked, 25) == "2 of 25 mistakes: slices under 20 images are left out."
    assert left_out(ranked, 2) == ""
