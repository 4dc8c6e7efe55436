"""The next half of the loop in one press: up to the questions, and from the answers to the comparison."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import queueing
from app.services.loop_state import ANSWERED_SINCE, Loop, LoopStep
from app.ui import next_step, reruns, submit
from app.ui.messages import errors_shown, verbatim
from slim_core.formatting import counted
from slim_core.parameters import parameters
from slim_core.steps.specs import STEPS

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Dataset, Run


BEFORE_QUESTIONS = ("train", "attention", "space", "annotate")  # steps of the loop that are open then
AFTER_ANSWERS = ("annotate", "curate", "retrain", "compare")
_OF_STEP = {"train": ("train",), "attention": ("gradcam",), "space": ("space",)}  # the runs that a step is made of


def show_loop(dataset: Dataset, loop: Loop) -> bool:
    """The box with the button; False where it is not the time for either half, or the viewer may queue nothing."""
    step = loop.next
    if step is None or not session.viewer().may("lead"):
        return False
    if loop.campaign is None and step.name in BEFORE_QUESTIONS and step.state == "open":
        _to_questions(dataset, loop)
        return True
    answered = loop.campaign is not None and session.store().answers.last_seq(loop.campaign.id) > 0
    if answered and step.name in AFTER_ANSWERS and step.state in ("open", "running") and step.run is None:
        _to_comparison(loop)
        return True
    return False


def _to_questions(dataset: Dataset, loop: Loop) -> None:
    """Trains a reference model first where there is none yet."""
    reference = loop.result.reference if loop.result is not None else None
    with st.container(border=True, key="whole-loop"):
        place = st.container(horizontal=True, vertical_alignment="center")
        fields, share = _settings(dataset, is_trained=reference is not None)
        training = queueing.reference_spec(dataset, **fields) if reference is None else reference.spec
        kinds = [kind for step in loop.steps if step.state != "done" for kind in _OF_STEP.get(step.name, ())]
        kinds += [] if loop.before is not None else ["evaluate"]
        with place:
            st.markdown(f"**Next:** find out {_unknown(training, kinds, reference)}.", width="stretch")
            label = queueing.TITLES["questions"] if reference is None else "Map attention, select candidates"
            label = label if "gradcam" in kinds else "Select candidates"
            pressed = st.button(label, type="primary", icon=":material/play_arrow:", key="loop-questions")
        if pressed:
            with errors_shown():
                space = next((step.run for step in loop.steps if step.name == "space" and step.state == "done"), None)
                queueing.to_questions(dataset, reference or training, space=space, share=share)
                st.rerun()


def _unknown(training: Mapping[str, Any], kinds: Container[str], reference: Run | None) -> str:
    """What the runs of these kinds find out, as the end of a sentence."""
    looks = "where the model looks"
    if reference is None:
        looks = f"where {training['model']} looks after {counted(training['epochs'], 'epoch')}"
    unknown = [looks] if "gradcam" in kinds else []
    unknown += ["what it gets wrong" if unknown else "what the model gets wrong"] if "evaluate" in kinds else []
    which = "which images to annotate"
    return f"{', '.join(unknown)}, and {which}" if unknown else which


def _settings(dataset: Dataset, *, is_trained: bool) -> tuple[dict[str, Any], float | None]:
    """What may be changed before the press: fields of the training, where there is one; the share of images."""
    fields: dict[str, Any] = {}
    key = f"loop-{dataset.id}"  # what is proposed for another data set is not kept from this one
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Settings", icon=":material/tune:"):
            if not is_trained:
                asked, proposed = parameters(STEPS["train"].spec), queueing.reference_spec(dataset)
                for name in ("epochs", "seed"):
                    fields[name] = submit.field(asked[name], proposed.get(name, asked[name].default), key=key)
            share = submit.field(parameters(STEPS["candidates"].spec)["share"], None, key=key)
        page, label = ("attention", "Step by step") if is_trained else ("train", "Another model, or step by step")
        next_step.link(page, label, dataset=dataset.id)
    return fields, share


def _to_comparison(loop: Loop) -> None:
    assert loop.campaign is not None and loop.result is not None  # there are answers
    campaign, step = loop.campaign, loop.next
    is_answered = step is not None and step.name != "annotate"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="whole-loop"):
        is_late = step is not None and step.note == ANSWERED_SINCE
        since, which = (f"{ANSWERED_SINCE}: ", "all of them") if is_late else ("", "the answers")
        what = f"{since}retrain on a subset curated from {which}, and see whether the worst group is better"
        if not is_answered and step is not None:
            what = f"answer the rest ({step.note}), or see what the answers so far achieve"
        st.markdown(f"**Next:** {what}.", width="stretch")
        if not is_answered and step is not None:
            next_step.link("annotate", "Answer", **step.params)
        submit.comparison_button(campaign, key="loop-comparison", type="primary" if is_answered else "secondary")


# state -> (icon, colour, label): the icons differ too, for those who see no difference between the colours
_BADGES = {
    "done": ("check_circle", "green", "done"),
    "running": ("pending", "blue", "in progress"),
    "failed": ("error", "red", "failed"),
    "stopped": ("stop_circle", "gray", "stopped"),
    "open": ("radio_button_unchecked", "gray", "to do"),
}
_QUEUED, _NEXT = ("schedule", "blue", "queued"), ("arrow_circle_right", "orange", "next")


def show_row(loop: Loop) -> None:
    """All steps as one strip of links; the next one is marked, and what a symbol means is under the pointer."""
    with st.container(horizontal=True, gap="small", key="loop-steps"):
        for step in loop.steps:
            icon, colour, label = _badge(step, is_next=step is loop.next)
            is_told = step.state == "running" and step.run is None  # the answers so far
            name = f":{colour}[:material/{icon}:] {step.title}{f' · {step.note}' if is_told else ''}"
            about = f"{label}: {verbatim(step.note)}" if step.note and label != "queued" and not is_told else label
            next_step.link(step.page, name, icon="", help=about.capitalize(), **step.params)


def _badge(step: LoopStep, *, is_next: bool) -> tuple[str, str, str]:
    if step.run is not None and step.run.status == "queued":  # what waits is not in progress
        return _QUEUED
    return _NEXT if is_next and step.state == "open" else _BADGES[step.state]


USUAL = ("headline", "steps", "next", "finder", "figures")
_ORDER = "overview-order"  # of the session: (visit, data set), and the order that holds for them


def make(dataset: str, present: Collection[str]) -> Mapping[str, DeltaGenerator]:
    """A container for each part of USUAL; ``present``: those that have something to show now."""
    about = (reruns.visit_number(), dataset)
    if st.session_state.get(_ORDER, (None, ()))[0] != about:
        st.session_state[_ORDER] = about, sorted(USUAL, key=lambda part: part not in present)
    return {part: st.container() for part in st.session_state[_ORDER][1]}
