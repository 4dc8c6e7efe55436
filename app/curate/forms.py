"""What to curate: the strategy, the size and the keep rule."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.services.space_data import SpaceData
from app.services.subset import Choice
from app.ui.glossary import explain
from app.ui.runs import ask
from slim_core.curation import DEFAULT_KEEP, KEEP_RULES, CurateOptions, default_subset_size
from slim_core.parameters import parameters
from slim_core.runs.whole_loop import ORACLE
from slim_core.steps.registry import STEPS

ABOUT = {
    "slim": "Every class equally often in every environment; the answers weigh the environments.",
    "slim-reference": "The steps of the paper, literally, with its mistakes mended.",
    "random": "Any images: what every other strategy has to beat.",
    "class-balanced": "As many of each class, otherwise any images.",
    "oracle": "Balances the true groups: what could be reached if every attribute were known.",
}
RULES = {
    "threshold": "score above a threshold",
    "quantile": "best share of each class",
    "median": "above the median of all (as in the paper)",
}

TRUSTED_FIRST = (
    "In each cell, choose trusted images before others. A narrower choice: it cost accuracy where we measured."
)


def show(data: SpaceData, campaign: str | None) -> Choice:
    """The controls, as one choice."""
    asked = parameters(STEPS["curate"].spec)
    names = [name for name in asked["strategy"].choices if name != ORACLE or data.table.has_attributes]
    strategy = st.selectbox(
        asked["strategy"].label, names, key="curate-strategy", help="Each is compared on the Compare page."
    )
    st.caption(ABOUT.get(strategy, ""))
    n = len(data)
    size = st.number_input(
        f"{asked['size'].label} (of {n:,})", data.table.n_classes, n, default_subset_size(n),
        key="curate-size", help=asked["size"].help,
    )  # fmt: skip
    seed = ask.field(asked["seed"], asked["seed"].default, key="curate")
    choice = Choice(data.run, campaign, strategy, size, seed)
    options = _keep_rule(strategy) if choice.uses_answers else ()
    return Choice(data.run, campaign, strategy, size, seed, options)


def _keep_rule(strategy: str) -> tuple[tuple[str, Any], ...]:
    usual = KEEP_RULES.index(DEFAULT_KEEP.get(strategy, "threshold"))
    rule = st.selectbox(
        "Trust images by",
        KEEP_RULES,
        usual,
        format_func=lambda name: RULES.get(name, name),
        key=f"curate-keep-{strategy}",
        help=explain("trusted image", "propagated score"),
    )
    options: tuple[tuple[str, Any], ...] = (("keep", rule),)
    if rule == "threshold":
        cut = st.slider("Threshold", 0.0, 1.0, CurateOptions.threshold, 0.01, key="curate-threshold")
        options += (("threshold", cut),)
    if rule == "quantile":
        left_out = st.slider("Share left out", 0.0, 1.0, CurateOptions.quantile, 0.01, key="curate-quantile")
        options += (("quantile", left_out),)
    if strategy == "slim":
        first = st.toggle("Trusted images first", CurateOptions.trusted_first, key="curate-first", help=TRUSTED_FIRST)
        options += (("trusted_first", first),)
    return options
