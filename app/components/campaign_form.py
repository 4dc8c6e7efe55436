"""Open a campaign: which images people are asked about, and how many of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import session
from app.components import space_data
from app.components.space_data import SpaceData
from app.components.telling import errors_told
from slim_core.candidates import default_budgets, kmeans_candidates

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

DEFAULT_SHARE = 0.02  # of each class
GUIDELINE = "Right: the bright area lies mostly on the object. Wrong: it lies mostly on the surroundings."
STRATEGY = "kmeans"


def show(space: Run) -> None:
    """The form; it opens the campaign and shows it."""
    data = space_data.load(space.id)
    budgets = _budgets(data)
    asked, n = sum(budgets.values()), len(data)
    st.markdown(f"**{asked:,} of {n:,}** {space.spec['split']} images, **{asked / n:.1%}** of the split")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", f"Candidates {asked / n:.1%}", key="campaign-name")
        seed = st.number_input("Seed", 0, key="campaign-seed", width=140, help="The same seed asks the same images.")
    guideline = st.text_area("Guideline for the annotators", GUIDELINE, key="campaign-guideline", height=72)
    if st.button("Open the campaign", type="primary", icon=":material/campaign:", key="campaign-create"):
        with errors_told():
            campaign = create(space, budgets, seed=seed, name=name, guideline=guideline)
            st.query_params["campaign"] = campaign.id
            st.rerun()


def _budgets(data: SpaceData) -> dict[int, int]:
    """How many images of each class, as set by the person."""
    proposed, sizes = default_budgets(data.labels, DEFAULT_SHARE), np.bincount(data.labels)
    with st.container(horizontal=True):
        return {
            label: st.number_input(
                f"{data.table.label_names[label]} (of {sizes[label]:,})",
                0,
                int(sizes[label]),
                budget,
                key=f"budget-{data.run}-{label}",
                width=200,
            )
            for label, budget in proposed.items()
        }


def create(space: Run, budgets: Mapping[int, int], *, seed: int, name: str, guideline: str) -> Campaign:
    """Choose the candidates (METHOD.md S3) and open a campaign about them (needs lead).

    Raises:
        SpecRefusedError: no image is asked for, or more of a class than there are.
    """
    viewer = session.viewer()
    viewer.require("lead")
    data = space_data.load(space.id)
    points = np.load(session.store().artifacts.folder(space.id) / "attention_space.npy", allow_pickle=False)
    positions = kmeans_candidates(points, data.labels, budgets, seed)
    return session.store().campaigns.create(
        name=name.strip() or "Campaign",
        dataset_id=space.dataset_id,
        space_run_id=space.id,
        rows=data.rows[positions],
        split=space.spec["split"],
        guideline=guideline,
        seed=seed,
        strategy=STRATEGY,
        by=viewer.name,
    )
