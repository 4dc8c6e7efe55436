"""A campaign on the page: the annotator, how far it has come, and what to do when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.components import annotator, gallery, next_step, space_data
from slim_core.errors import AnswersRefusedError

if TYPE_CHECKING:
    from slim_core.store import Campaign

IMAGE_SIDE = 512  # pixels


def show(campaign: Campaign) -> None:
    """The annotator of a campaign, and its progress.

    Raises:
        AnswersRefusedError: its space was made from features alone, so that there is no attention to judge.
    """
    annotator.show(f"annotator-{campaign.id}", _session(campaign), on_done=_nothing)
    progress = session.store().campaigns.progress(campaign.id)
    if progress["answered"] >= progress["total"]:
        _summary(campaign, progress)
    else:
        _poll(campaign)


@st.fragment(run_every="3s")
def _poll(campaign: Campaign) -> None:
    progress = session.store().campaigns.progress(campaign.id)
    _summary(campaign, progress)
    if progress["answered"] >= progress["total"]:
        st.rerun()


def _summary(campaign: Campaign, progress: dict[str, float]) -> None:
    answered, total = int(progress["answered"]), int(progress["total"])
    st.caption(
        f"{answered:,} of {total:,} answered. That is {answered:,} of {campaign.n_split:,} {campaign.split} images, "
        f"**{answered / max(campaign.n_split, 1):.1%}** of the split, in {progress['minutes']:.1f} minutes of work."
    )
    link = {"dataset": campaign.dataset_id, "space": str(campaign.space_run_id), "campaign": campaign.id}
    if answered >= total:
        next_step.show("all images are answered: choose a subset by these answers.", "curate", "Curate", **link)
    elif progress["right"] + progress["wrong"]:
        next_step.link("curate", "Curate from this campaign as it stands", icon="filter_alt", **link)


def _session(campaign: Campaign) -> annotator.Session:
    data = space_data.load(str(campaign.space_run_id))
    if not data.has_maps:
        raise AnswersRefusedError(
            f"The space of {campaign.name} was made from features without maps: build one from attention maps."
        )
    rows = [item.row for item in session.store().campaigns.items(campaign.id)]
    scores = data.scores.set_index("row").loc[rows]
    drawn = {"size": IMAGE_SIDE, "run": data.attention}
    seen = zip(rows, scores["prediction_name"], scores["confidence"], strict=True)
    return annotator.Session(
        campaign=campaign.id,
        token=session.token(dataset=data.dataset, campaign=campaign.id),
        run=data.attention,
        image=gallery.address(data.dataset, kind="image", **drawn),
        heat=gallery.address(data.dataset, kind="heat", **drawn),
        guideline=campaign.guideline,
        predictions={int(row): (str(name), float(confidence)) for row, name, confidence in seen},
    )


def _nothing() -> None:
    """The rerun that a trigger causes is all that is needed."""
