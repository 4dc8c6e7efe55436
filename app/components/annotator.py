"""The annotation component: one image at a time, one key an answer, sent by the browser straight to the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.routes.assets import ASSETS

HTML = """
<div class="slim-annotator" role="group" aria-label="Annotation">
  <div class="head">
    <strong data-part="count">Loading ...</strong>
    <progress data-part="bar" max="1" value="0" aria-label="Answered images"></progress>
    <span class="tally" data-part="tally"></span>
    <span class="status" data-part="status" role="status" aria-live="polite"></span>
  </div>
  <div class="work" data-part="work" hidden>
    <div class="stage" data-part="stage"></div>
    <div class="side">
      <p class="question">Does the model look at what makes this a <span data-part="label"></span>?</p>
      <p class="guideline" data-part="guideline"></p>
      <dl>
        <dt>Prediction</dt><dd><span data-part="prediction"></span> <small data-part="verdict"></small></dd>
        <dt>Shown</dt><dd><span data-part="view"></span> <small data-part="row"></small></dd>
      </dl>
      <div class="answers">
        <button type="button" class="right" data-act="right">Right <kbd>1</kbd></button>
        <button type="button" class="wrong" data-act="wrong">Wrong <kbd>0</kbd></button>
        <button type="button" class="unsure" data-act="unsure">Unsure <kbd>U</kbd></button>
      </div>
      <div class="tools">
        <button type="button" data-act="undo">Undo <kbd>Z</kbd></button>
        <button type="button" data-act="skip">Skip <kbd>S</kbd></button>
        <button type="button" data-act="view">View <kbd>H</kbd></button>
        <button type="button" data-act="less" aria-label="Weaker overlay">Weaker <kbd>-</kbd></button>
        <button type="button" data-act="more" aria-label="Stronger overlay">Stronger <kbd>+</kbd></button>
      </div>
    </div>
  </div>
  <div class="done" data-part="done" hidden>
    <h3>All images of this campaign are answered</h3>
    <button type="button" data-act="undo">Undo the last answer <kbd>Z</kbd></button>
  </div>
</div>
"""

_mount = st.components.v2.component(
    "slim_annotator",
    html=HTML,
    css=(ASSETS / "annotator.css").read_text(),
    js=(ASSETS / "annotator.js").read_text(),
)


@dataclass(frozen=True)
class Session:
    """What the component needs: where its images come from, where its answers go, and for whom."""

    campaign: str
    token: str
    run: str  # gradcam run whose maps are shown
    image: str  # address of an image, with ROW where its row goes
    heat: str  # the same for its heat map
    guideline: str
    predictions: Mapping[int, tuple[str, float | None]]  # row -> (class predicted, confidence 0..1)

    def wire(self) -> dict[str, Any]:
        """As JSON for the browser."""
        return {
            "campaign": self.campaign,
            "token": self.token,
            "run": self.run,
            "image": self.image,
            "heat": self.heat,
            "guideline": self.guideline,
            "predictions": {str(row): list(seen) for row, seen in self.predictions.items()},
            "items": f"/api/items?campaign={self.campaign}",
            "answers": "/api/answers",
        }


def show(key: str, session: Session, on_done: Callable[[], None]) -> None:
    """Mount the component. ``on_done`` is called once when the last image is answered and saved."""
    _mount(key=key, data=session.wire(), on_done_change=on_done)
