"""The answering of a campaign: the component in which images are answered.

The browser is given what it needs to fill the component; answers go straight to the routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.annotate import overview
from app.annotate.questions import attention_of, frame
from app.routes.assets import asset_url, below, static
from app.ui.messages import errors_shown
from app.ui.pictures import View, address, under
from slim_core.data.images.heat import heat_gradient
from slim_core.errors import NameRefusedError
from slim_core.formatting import percent

if TYPE_CHECKING:
    from slim_core.store import Campaign

HTML = static("annotate/annotator.html").read_text()
MODULE = "annotate/annotator.js"
URLS = {name: below(f"/api/{name}") for name in ("next", "answers", "given", "release")}

_mount = st.components.v2.component(
    "slim_annotator",
    html=HTML,
    css=static("annotate/annotator.css").read_text(),
    js=static("ui/loader.js").read_text(),
)


@dataclass(frozen=True)
class Session:
    """What the component needs: where its images come from, where its answers go, and for whom.

    Addresses hold ROW where the row of the image goes.
    """

    campaign: str
    who: str | None  # the annotator; None: the browser is asked for a name first
    may_rename: bool  # no sign-in: the name can be changed
    token: str
    run: str  # gradcam run whose maps are shown
    frame: float | None  # side of the square in the middle that the model sees, in shorter sides; None: sees all
    pictures: Mapping[str, str]  # image, heat, veil, contour, and the same as tile...: address
    guideline: str
    split: str
    n_split: int  # images of the split
    overlap: int
    blind: bool  # neither label nor prediction is shown
    refused: str = ""  # why the name that was just given is not accepted
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)  # "right", "wrong" -> addresses

    def wire(self) -> dict[str, Any]:
        """As JSON for the browser."""
        return {
            "module": asset_url(MODULE),
            "urls": URLS,
            "campaign": self.campaign,
            "who": self.who,
            "rename": self.may_rename,
            "refused": self.refused,
            "token": self.token,
            "run": self.run,
            "frame": self.frame,
            **self.pictures,
            "ramp": heat_gradient(),
            "guideline": self.guideline,
            "split": self.split,
            "nSplit": self.n_split,
            "overlap": self.overlap,
            "blind": self.blind,
            "examples": {kind: list(addresses) for kind, addresses in self.examples.items()},
        }


@dataclass(frozen=True)
class Events:
    """What has happened in the browser since the last run of the page."""

    name: str | None  # the name that was given
    done: bool  # the last image is answered


def mount(key: str, session: Session) -> Events:
    """Mount the component. It also asks for a run of the page when its token has expired."""
    result = _mount(
        key=key,
        data=session.wire(),
        on_name_change=_nothing,
        on_done_change=_nothing,
        on_renew_change=_nothing,
    )
    return Events(name=result.get("name"), done=result.get("done") is not None)


def _nothing() -> None:
    """The run of the page that a trigger causes is all that is needed."""


IMAGE_SIDE, TILE_SIDE, EXAMPLE_SIDE = 512, 256, 192  # pixels; heat maps are smooth, and as good small
MAX_EXAMPLES = 4  # of each kind
REFUSED = "name-refused"


def show(campaign: Campaign) -> None:
    """The annotator of a campaign: what its answers do is the lead's part, where it can bias nobody who answers."""
    store = session.store()
    counts = store.assignments.progress(campaign.id, "")  # the whole progress is read only where it is shown
    is_finished = counts.done >= counts.total
    with errors_shown():  # once for all below that needs the images
        store.datasets.table(campaign.dataset_id)
        _annotator(campaign)
    if is_finished:  # below what is on the page already, which stays where it is
        _finished(campaign)


def _annotator(campaign: Campaign) -> None:
    events = mount(f"annotator-{campaign.id}", _session(campaign))
    if events.name:
        _name(events.name)
        st.rerun()


def _name(name: str) -> None:
    """Take the name, or keep for the next run of the page why it cannot be taken."""
    try:
        session.give_name(name)
    except NameRefusedError as error:
        st.session_state[REFUSED] = str(error)


def _finished(campaign: Campaign) -> None:
    """What it took; the Campaign part sums it up."""
    progress = session.store().campaigns.progress(campaign.id)
    answered = int(progress["answered"])
    share = f"**{percent(answered / max(campaign.n_split, 1))}** of the split"
    asked = f"{answered:,} of {campaign.n_split:,} {campaign.split} images"
    st.caption(f"{asked}, {share}, {overview.took(session.store().answers.cost(campaign.id))}.")


def _session(campaign: Campaign) -> Session:
    run = attention_of(campaign)
    named = session.viewer().name if session.signs_in() else session.given_name()
    return Session(
        campaign=campaign.id,
        who=named,
        may_rename=not session.signs_in(),
        refused=st.session_state.pop(REFUSED, ""),
        token=session.token(dataset=campaign.dataset_id, campaign=campaign.id),
        run=run,
        frame=frame(run),
        pictures=_pictures(campaign.dataset_id, run),
        guideline=campaign.guideline,
        split=campaign.split,
        n_split=campaign.n_split,
        overlap=campaign.overlap,
        blind=campaign.is_blind,
        examples=_examples(campaign.dataset_id, run, campaign.options.get("examples") or {}),
    )


def _pictures(dataset: str, run: str) -> dict[str, str]:
    """Addresses by name: of whole images, and of maps, which are of what the model sees."""
    views = {"image": View("whole")} | {kind: View(kind, run) for kind in ("contour", "heat", "veil")}
    sides = {"image": IMAGE_SIDE, "contour": IMAGE_SIDE, "heat": TILE_SIDE, "veil": TILE_SIDE}
    made = {kind: address(dataset, views[kind], side) for kind, side in sides.items()}
    return made | {f"tile{kind.capitalize()}": address(dataset, views[kind], TILE_SIDE) for kind in sides}


def _examples(dataset: str, run: str, examples: Mapping[str, Any]) -> dict[str, list[str]]:
    """Addresses of the campaign's examples of right and wrong attention."""
    return {
        kind: [
            address(dataset, under(run), EXAMPLE_SIDE, int(row))
            for row in list(examples.get(kind) or [])[:MAX_EXAMPLES]
        ]
        for kind in ("right", "wrong")
    }
