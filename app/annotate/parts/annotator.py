"""The annotation component: its frame, and what the browser needs to fill it. Answers go straight to the routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.routes.assets import asset_url, below, static
from slim_core.data.images.heat import heat_gradient

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
    page: str  # id of the session of its page: another one where the dashboard was started again
    token: str
    run: str  # gradcam run whose maps are shown
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
            "page": self.page,
            "token": self.token,
            "run": self.run,
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
    shown: bool  # the first image is on screen


def show(key: str, session: Session) -> Events:
    """Mount the component. It also asks for a run of the page when its token has expired."""
    result = _mount(
        key=key,
        data=session.wire(),
        on_name_change=_nothing,
        on_done_change=_nothing,
        on_shown_change=_nothing,
        on_renew_change=_nothing,
    )
    happened = {name: result.get(name) is not None for name in ("done", "shown")}
    return Events(name=result.get("name"), **happened)


def _nothing() -> None:
    """The run of the page that a trigger causes is all that is needed."""
