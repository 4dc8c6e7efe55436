"""What to curate: the strategy, the size, and the settings of both the step and the strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.services.subset import Choice
from app.ui.runs import config_form
from slim_core.curation import LABELS_USED, CurateOptions
from slim_core.data.labels_used import GROUPS_IN_TRAINING
from slim_core.parameters import Parameter, parameters
from slim_core.runs.retraining import usual_curation_of
from slim_core.steps.registry import STEPS

ABOUT = {
    "slim": "Every class equally often in every environment; the answers find or weight the environments.",
    "slim-reference": "The steps of the paper as written, with its errors fixed.",
    "random": "Random images: the baseline for every other strategy.",
    "class-balanced": "The same number of random images per class.",
    "oracle": "The same number of random images per true group; needs an attribute.",
}
_IN_ITS_OWN_WAY = ("kind", "strategy", "size", "options")


def _uses_groups(strategy: str) -> bool:
    return LABELS_USED.get(strategy) == GROUPS_IN_TRAINING


def show(data: SpaceData, campaign: str | None) -> Choice:
    """The controls, as one choice."""
    spec = STEPS["curate"].spec
    asked = parameters(spec)
    names = [name for name in asked["strategy"].choices if data.table.has_attributes or not _uses_groups(name)]
    strategy = st.selectbox(
        asked["strategy"].label, names, key="curate-strategy", help="Compare strategies on the Compare page."
    )
    st.caption(ABOUT.get(strategy, ""))
    n = len(data)
    store = session.store()
    usual_size, usual = usual_curation_of(store, store.runs.fetch(data.run), strategy)
    size = st.number_input(
        f"{asked['size'].label} (of {n:,})", data.table.n_classes, n, max(usual_size, data.table.n_classes),
        key=f"curate-size-{data.run}", help=asked["size"].help,  # what is usual in one space is not in another
    )  # fmt: skip
    own, options = (
        config_form.form_parameters(spec, without=_IN_ITS_OWN_WAY),
        config_form.form_parameters(spec.holds["options"]),
    )
    proposed = {**CurateOptions.proposed(strategy), **usual}
    chosen = config_form.fields(
        [*own, *options], proposed, key=f"curate-{strategy}-{data.run}", beside={"strategy": strategy},
        a_row=1,
    )  # fmt: skip
    settings = tuple((each.name, chosen[each.name]) for each in own if each.name != "seed")
    return Choice(data.run, campaign, strategy, size, chosen["seed"], tuple(_given(options, chosen)), settings)


def _given(options: Sequence[Parameter], chosen: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings of the strategy; those that are folded away only where changed."""
    for each in options:
        if each.name in chosen and (each.display.place == "form" or chosen[each.name] != each.default):
            yield each.name, chosen[each.name]
