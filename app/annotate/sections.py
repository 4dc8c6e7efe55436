"""The parts of the annotate page, of which one is drawn at a time, and the one next step at its end.

A large campaign opens as fast as a small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from app import session
from app.ui import next_step, pick, reruns, submit
from app.ui.progress import show_pipelines
from slim_core.annotation.agreement import disputes_of
from slim_core.annotation.convergence import stability
from slim_core.errors import ForbiddenError, SlimError
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Campaign
    from slim_core.store.campaigns.assignments import Progress

ANSWER, CAMPAIGN, AGREEMENT = "Answer", "Campaign", "Agreement"
NEW = "Open a new campaign"
KEY = "annotate-section"
OPEN = "annotate-section-open"  # of the session: (visit, campaign), and the part that is open in it
PARAM = "section"
_LINKS = {  # ?section=
    "answer": ANSWER,
    "campaign": CAMPAIGN,
    "agreement": AGREEMENT,
    "new": NEW,
}


def choose(campaign: Campaign | None) -> str:
    """The part that is open, which the address names (?section); another campaign starts with its answers."""
    linked = _LINKS.get(reruns.read_link(PARAM) or "")
    if campaign is None:
        return NEW
    parts = (ANSWER, CAMPAIGN, AGREEMENT) + ((NEW,) if session.viewer().may("lead") else ())
    about = reruns.visit_number(), campaign.id
    seen, section = st.session_state.get(OPEN, (None, ANSWER))
    if seen != about or linked or section not in parts:
        section = linked if linked in parts else ANSWER
    st.session_state[OPEN] = about, section
    key = pick.box_key(KEY, section)
    st.segmented_control(
        "Part", parts, key=key, label_visibility="collapsed", required=True, on_change=_open, args=(key,)
    )
    reruns.keep_in_address(PARAM, next(slug for slug, one in _LINKS.items() if one == section))
    return str(section)


def _open(key: str) -> None:
    if pick.is_shown_box(KEY, key):
        about, _ = st.session_state[OPEN]
        st.session_state[OPEN] = about, st.session_state[key]


_TAKEN = ". Answers about images that both ask about are kept"


def _all_answered(campaign: Campaign) -> str:
    """What follows, in the same opinion as *Do more answers help?* has."""
    try:
        found = stability(session.store(), campaign.id)
    except SlimError:  # its space or images are gone, as the page says above
        return f"all images are answered: {next_step.can('lead', 'curate a subset from these answers.')}"
    if found.n_tied:
        return f"all images are answered. {found.hint}"
    if found.can_stop:
        curate = next_step.can("lead", "curate a subset from these answers.")
        return f"all images are answered, and more would change little: {curate}"
    if not session.viewer().may("lead"):
        return "all images are answered: a lead can curate a subset, or add images."
    more = " More answers still help:" if found.is_known else " For more answers,"
    return f"all images are answered.{more} use *Add images* under Campaign, or curate a subset now."


def _n_undecided(campaign: Campaign) -> int:
    """Images about which annotators disagree, and this reader can decide."""
    if not session.viewer().may("lead"):
        return 0
    return sum(one.item.decision is None for one in disputes_of(session.store(), campaign.id))


def _decide(n: int, section: str, link: dict[str, str]) -> None:
    sentence = f"annotators disagree about {counted(n, 'image')}: decide {'it' if n == 1 else 'them'}"
    if section == AGREEMENT:
        next_step.here(f"{sentence} above.")
    else:
        next_step.show(f"{sentence}.", "annotate", "Agreement", section="agreement", **link)


def _without_space(campaign: Campaign, *, has_spaces: bool) -> None:
    if has_spaces:
        todo = next_step.can("lead", f"import its answers into a campaign on another space{_TAKEN}.")
        next_step.show(todo, "annotate", "New campaign", section="new", dataset=campaign.dataset_id)
    else:
        todo = f"build an attention space, then import these answers into a campaign on it{_TAKEN}."
        next_step.show(next_step.can("lead", todo), "space", "Space", dataset=campaign.dataset_id)


def _of_other_images(campaign: Campaign) -> None:
    """Behind the answers about validation or test images, from which no subset is curated."""
    ask = f"open a campaign about training images. A subset is curated from answers about those, not {campaign.split}."
    next_step.show(next_step.can("lead", ask), "annotate", "New campaign", section="new", dataset=campaign.dataset_id)


def _may_answer(campaign: Campaign) -> bool:
    viewer = session.viewer()
    try:
        campaign.require_annotator(viewer.name)
    except ForbiddenError:
        return False
    return viewer.may("annotator")


def _while_open(campaign: Campaign, section: str, progress: Progress, link: dict[str, str]) -> None:
    """While images are left: what this reader can do, which is to answer, to wait, or as a lead to go on without."""
    has_answered = progress.done + progress.answered >= progress.total
    is_asked = _may_answer(campaign) and not has_answered
    rest = "answer the remaining images" if is_asked else "wait for the others' answers"
    if section == ANSWER and campaign.split == "train" and session.viewer().may("lead"):
        _to_comparison(f"{rest}, or see what the answers so far achieve.", campaign, link)
    elif is_asked and section != ANSWER:
        next_step.show(f"{rest}.", "annotate", "Answer", section="answer", **link)
    else:
        next_step.here(f"{rest}: you have given all of yours." if has_answered else f"{rest}.")


def _is_compared(campaign: Campaign) -> bool:
    """Whether the answers as they stand have led to a retrained model, which was evaluated."""
    store = session.store()
    asked = campaign.id, store.answers.last_seq(campaign.id)
    return any(
        one.kind == "comparison" and one.state == "done" and asked == (run.campaign_id, run.spec.get("answers_seq"))
        for one in store.pipelines.all(campaign.dataset_id)
        for run in one.runs
    )


def _to_comparison(
    sentence: str, campaign: Campaign, link: dict[str, str], kind: Literal["primary", "secondary"] = "secondary"
) -> None:
    """The press that leads from the answers to a comparison; for those who may not, the link to Curate alone."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Next:** {sentence}", width="stretch")
        next_step.link("curate", "Curate", **link)
        if session.viewer().may("lead"):
            submit.comparison_button(campaign, key="effect-retrain", type=kind)


def show_next(campaign: Campaign | None, section: str, *, has_spaces: bool = True) -> None:
    """``campaign``: the one that is picked; None where there is none yet. ``has_spaces``: its data has a space."""
    if campaign is None or section == NEW:
        next_step.here(next_step.can("lead", "press *Open the campaign*. Its images can be answered right away."))
        return
    if campaign.space_run_id is not None and not session.store().campaigns.has_space(campaign):
        _without_space(campaign, has_spaces=has_spaces)
        return
    link = {"dataset": campaign.dataset_id, "space": str(campaign.space_run_id), "campaign": campaign.id}
    if show_pipelines(campaign.dataset_id, lambda one: any(run.campaign_id == campaign.id for run in one.runs)):
        return
    if _is_compared(campaign):
        next_step.show("see whether the retrained model is better.", "compare", "Compare", dataset=campaign.dataset_id)
        return
    progress = session.store().assignments.progress(campaign.id, session.viewer().name)
    is_over = progress.done >= progress.total or campaign.status != "open"
    if is_over and (n := _n_undecided(campaign)):
        _decide(n, section, link)
    elif is_over and campaign.split != "train":
        _of_other_images(campaign)
    elif progress.done >= progress.total:
        _to_comparison(_all_answered(campaign), campaign, link, kind="primary")
    elif campaign.status != "open":
        curate = next_step.can("lead", "curate a subset from its answers.")
        _to_comparison(f"the campaign is closed: {curate}", campaign, link, kind="primary")
    else:
        _while_open(campaign, section, progress, link)
