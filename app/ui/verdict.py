"""The verdict as every page shows it: one sentence in the size of a headline, whose colour is that of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui.messages import verbatim
from slim_core.evaluation.verdict import Answer, can_show, not_retrained

if TYPE_CHECKING:
    from slim_core.evaluation.verdict import Verdict

# answer -> (icon, colour): the icons differ too, for those who see no difference between the colours
SHOWN = {
    Answer.BETTER: ("verified", "green"),
    Answer.WORSE: ("trending_down", "red"),
    Answer.INCONCLUSIVE: ("help", "gray"),
    Answer.NOTHING_TO_FIX: ("task_alt", "gray"),
    Answer.NOT_COMPARABLE: ("compare_arrows", "gray"),
}


def show(found: Verdict) -> None:
    """Across the page."""
    icon, colour = SHOWN[found.answer]
    _headline(f":{colour}[:material/{icon}:] {found.sentence}")


def show_before(metrics: Mapping[str, Any]) -> None:
    """Of a reference model, in the place of a verdict until there is one."""
    _headline(f":gray[:material/pending:] {not_retrained(metrics, named=verbatim)}")


def _headline(text: str) -> None:
    with st.container(key="verdict"):  # page.css makes it large
        st.markdown(text)


def show_what_test_can_show(report: Mapping[str, Any]) -> None:
    """Of data that is registered, or only checked: the report of its import. Nothing without a test split."""
    images = {group["name"]: group["n"] for group in report["groups"] if group["split"] == "test"}
    if text := can_show(images, named=verbatim):
        st.caption(f"Test: {text}")
