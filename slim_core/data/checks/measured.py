"""Attributes that are measured, such as an age: each number would be a group of its own, with few images or none."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.report import Findings

MOST_NUMBERS = 20  # as the values of an attribute; more of them are rather measured than counted out


def check_measured(draft: Draft, values: Sequence[str], findings: Findings) -> None:
    """Warn of an attribute whose values in the table are many numbers, none of which has a name."""
    if len(values) <= MOST_NUMBERS or not may_be_binned(draft) or findings.refused:
        return
    numbers = pd.to_numeric(pd.Series(values).str.replace(",", "."), errors="coerce")
    if numbers.notna().all():
        findings.warning(
            "measured-attribute",
            f"{draft.attribute_name or 'The attribute'} has {len(values):,} different numbers as its values, and each "
            f"makes a group with every class: {remedy(draft)}.",
        )


def may_be_binned(draft: Draft) -> bool:
    """Whether ranges may stand where the numbers do: the form of the data takes names, and has no list of its own."""
    return draft.attribute_names is None and draft.takes_names("attribute")


def remedy(draft: Draft) -> str:
    """What to do with a measured attribute; the rest of a sentence."""
    column = draft.attribute_name or "attribute"
    return (
        "if it is measured, as an age is, put ranges into the table instead, such as 20-39 and 40-59 (in pandas: "
        f'pd.cut(table["{column}"], [20, 40, 60], right=False, labels=["20-39", "40-59"]))'
    )
