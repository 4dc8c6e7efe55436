"""The environments of a campaign's space, a sheet of images each: does what these share belong to the class?"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import access, session
from app.annotate.parts.next_action import of_other_images
from app.services import campaign_actions
from app.ui import roles
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.images import awaited, pictures
from app.ui.images.pictures import Tile, quiet
from app.ui.links import next_step
from app.ui.messages import errors_shown, for_reader
from app.ui.reruns.fragment import fragment
from slim_core.annotation.sheets import Sheets, agreement, sheets
from slim_core.annotation.simulated_annotator import ANNOTATOR
from slim_core.errors import SlimError
from slim_core.formatting import counted, percent
from slim_core.space.sheets import BELONGS, MIXED, NO, QUESTION, SMALLEST_SPLIT, UNSURE, YES, Environment
from slim_core.store.campaigns.environment_answers import MAX_NAME, EnvironmentAnswer

if TYPE_CHECKING:
    from slim_core.store import Campaign
    from slim_core.store.campaigns.environment_answers import Vote

KEYS = {YES: "y", NO: "n", MIXED: "m", UNSURE: "u"}
UNDO = "z"
FOLLOWS = {
    YES: "left unchanged",
    NO: "a shortcut, so the classes are balanced in it",
    UNSURE: "balanced, as without an answer",
}
DISAGREEMENT = "disagreement"  # as many say one thing as another
OF_OTHERS = (
    "A subset is curated from a campaign about training images. Answers about these environments name and split them "
    "on the Space page, and balance nothing."
)
TILE_PX, TILE_MOST_PX = 92, 132
CHOSEN, SINCE, REFUSED = "sheet", "sheet-since", "sheet-refused"
LINK = "sheet"  # ?sheet=3.0


def show(campaign: Campaign) -> None:
    """The sheets, one at a time.

    Raises:
        AnswersRefusedError: the campaign's space was deleted.
        SpecRefusedError: there are no environments to ask about.
    """
    found = sheets(session.store(), campaign.id)  # what is refused is refused once, on the page
    who = session.viewer().name if access.signs_in() else session.given_name()
    if who is None:
        _ask_name()
    else:
        _sheets(campaign, who, [found])


def _ask_name() -> None:
    """Without sign-in: whose answers these are."""
    st.markdown(
        "Each environment of the space is shown as a sheet of about 20 images, with one question. "
        "Six to twelve answers say which environments are shortcuts."
    )
    with st.form("sheet-who", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Your name", key="sheet-name", help="Stored with your answers.", width=320)
        if st.form_submit_button("Start", type="primary"):
            with errors_shown():
                session.give_name(name)
                st.rerun()


@fragment()
def _sheets(campaign: Campaign, who: str, read: list[Sheets]) -> None:
    """``read``: what the page has just read, which this drawing takes out; a later one, by itself, reads anew."""
    found = read.pop() if read else sheets(session.store(), campaign.id)
    environment = _chosen(found, who)
    refused = st.session_state.pop(REFUSED, "")
    if refused and refused != _refused(found.campaign, who):  # which is said below the buttons
        st.error(verbatim(refused), icon=":material/error:")
    _progress(found, who)
    if campaign.split != "train":
        st.caption(OF_OTHERS)
    if environment is None:
        _finished(found)
    else:
        _sheet(found, environment, who)
    _overview(found, who)


def _chosen(found: Sheets, who: str) -> Environment | None:
    """The environment that is open: as linked or picked, else the first that needs this person's answer."""
    key, linked = f"{CHOSEN}-{found.campaign.id}", st.query_params.pop(LINK, None)
    if linked is not None:
        st.session_state[key] = linked
    if found.find(st.session_state.get(key)) is None:
        st.session_state[key] = next((each.path for each in found.open_to(who)), None)
    environments = {each.path: each for each in found.environments}
    st.pills(
        "Environments",
        list(environments),
        format_func=pick.label_function({path: _label(found, each, who) for path, each in environments.items()}),
        key=key,
        label_visibility="collapsed",
    )
    return environments.get(st.session_state[key])


def _label(found: Sheets, environment: Environment, who: str) -> str:
    mark = ":material/check: " if found.is_done(environment) else ""
    name = verbatim(environment.consensus.name or environment.path)
    said = _said(found, environment, who)
    return f"{mark}{name} · {said}" if said else f"{mark}{name}"


def _said(found: Sheets, environment: Environment, who: str) -> str:
    """What people say of it together; "" to whoever is still asked, whose answer must not follow theirs."""
    if not environment.consensus.n_answers or _is_asked(found, environment, who):
        return ""
    definite = {vote.value for vote in found.of_environment(environment)} - {UNSURE}
    return DISAGREEMENT if environment.consensus.value == UNSURE and definite else BELONGS[environment.consensus.value]


def _progress(found: Sheets, who: str) -> None:
    mine, n_left, n = found.of(who), len(found.open_to(who)), len(found.environments)
    n_mine = sum(each.path in mine for each in found.environments)
    parts = [f"**{n_mine} of {n}** environments answered by you, {n_left} left."]
    if found.campaign.overlap > 1:
        n_done = sum(map(found.is_done, found.environments))
        parts.append(f"{n_done} answered by {found.campaign.overlap} annotators.")
    if n_simulated := sum(vote.annotator == ANNOTATOR for vote in found.votes):
        parts.append(f"{n_simulated} of the answers come from the simulated annotator.")
    if (agreed := agreement(found.votes)).n_shared:
        parts.append(f"Annotators agree on {agreed.n_same} of {agreed.n_shared} with two or more definite answers.")
    st.markdown(" ".join(parts))


def _finished(found: Sheets) -> None:
    """Nothing is left that this person could answer."""
    campaign = found.campaign
    waiting = sum(not found.is_done(each) for each in found.environments)
    if waiting:
        need = "needs" if waiting == 1 else "need"
        st.info(f"You have answered every environment. {waiting} still {need} answers from others.")
    else:
        st.success("Every environment is answered.", icon=":material/check:")
    if campaign.split != "train":
        of_other_images(campaign)
        return
    link = {"dataset": campaign.dataset_id, "space": str(campaign.space_run_id), "campaign": campaign.id}
    todo = roles.can("lead", "curate a subset from these answers.")
    next_step.show(todo, "curate", "Curate", **link)


def _sheet(found: Sheets, environment: Environment, who: str) -> None:
    """The question, its keys, which wait for the images, and these."""
    _start_clock(found.campaign, environment.path)
    with awaited.images("sheet", [f"sheet-{BELONGS[value]}" for value in KEYS], KEYS.values()):
        st.subheader(QUESTION, anchor=False)
        asked = st.container()
        _images(found, environment)
        with asked:  # sent after the images: no button is there before what it is about
            _buttons(found, environment, who)


def _images(found: Sheets, environment: Environment) -> None:
    """A row of images for each class."""
    table = session.store().datasets.table(found.campaign.dataset_id)
    shares = found.shares(environment)
    n_shown, n = 0, len(environment.positions)
    with st.spinner("Choosing images ..."):
        chosen = found.images(environment)
    for label, rows in chosen.items():
        of_class = f"{percent(shares[label], 0)} of the class"
        st.markdown(f"**{verbatim(table.label_names[label])}**: {of_class} is in this environment")
        tiles = [Tile(int(row), lines=[quiet(row)], name=table.label_names[label]) for row in rows]
        pictures.show(found.campaign.dataset_id, tiles, wide=TILE_PX, most=TILE_MOST_PX, small=True)
        n_shown += len(rows)
    st.caption(f"{n_shown} of its {n:,} images. Per class, typical ones come first, then some spread over the rest.")


def _buttons(found: Sheets, environment: Environment, who: str) -> None:
    """They are those of this sheet: a second click on them never answers the next one, which nobody has seen."""
    mine = found.of(who)
    said = mine.get(environment.path)
    refused = _refused(found.campaign, who)
    can_answer = not refused and (said is not None or not found.is_done(environment))
    name_key = f"sheet-name-{found.campaign.id}-{environment.path}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "What they share (optional)", environment.consensus.name, MAX_NAME, key=name_key, width=300,
            placeholder="such as water", help="Pages show the environment under this name.",
        )  # fmt: skip
        for value, key in KEYS.items():
            st.button(
                BELONGS[value].capitalize(), key=f"sheet-{BELONGS[value]}-{environment.path}", shortcut=key,
                disabled=not can_answer, type="primary" if said is not None and said.value == value else "secondary",
                on_click=_say, args=(found.campaign, environment.path, value, name_key, who),
            )  # fmt: skip
        last = next(reversed(mine.values()), None)
        st.button(
            "Undo", key=f"sheet-undo-{last and last.seq}", shortcut=UNDO, icon=":material/undo:", type="tertiary",
            disabled=last is None or bool(refused), on_click=_take_back, args=(found.campaign, last, who),
        )  # fmt: skip
    if refused:
        st.info(verbatim(refused))
    elif not can_answer:
        st.caption(
            f"This environment has answers from {counted(environment.consensus.n_answers, 'annotator')}: enough."
        )
    follows = FOLLOWS | {MIXED: _of_mixed(found, environment)}
    st.caption("; ".join(f"**{BELONGS[value].capitalize()}**: {follows[value]}" for value in KEYS) + ".")


def _is_asked(found: Sheets, environment: Environment, who: str) -> bool:
    return found.asks(environment, who) and not _refused(found.campaign, who)


def _refused(campaign: Campaign, who: str) -> str:
    """Why the campaign takes no answer of this person; "" where it does."""
    try:
        campaign.require_annotator(who)
        campaign.require_open(datetime.now(UTC))
    except SlimError as error:
        return for_reader(error)
    return ""


def _say(campaign: Campaign, path: str, value: int, name_key: str, who: str) -> None:
    """Keep an answer, and go on to the next sheet."""
    if st.session_state.get(f"{CHOSEN}-{campaign.id}") != path:  # a second click: it is answered, and another is open
        return
    took_ms = round(1000 * (time.monotonic() - _started(campaign, path)))
    name = str(st.session_state.get(name_key) or "")
    _keep(campaign, who, EnvironmentAnswer(secrets.token_hex(16), path, value, name, took_ms), then=None)


def _take_back(campaign: Campaign, vote: Vote, who: str) -> None:
    """Undo this person's last answer, and go back to its sheet."""
    given = EnvironmentAnswer(secrets.token_hex(16), vote.environment, None)
    _keep(campaign, who, given, then=vote.environment, undone=vote)


def _keep(
    campaign: Campaign, who: str, given: EnvironmentAnswer, *, then: str | None, undone: Vote | None = None
) -> None:
    """``undone``: what it takes back; a second click finds that undone, and is not about the answer before it."""
    try:
        if undone is not None and undone not in session.store().environment_answers.votes(campaign.id):
            return
        if not campaign_actions.say_of_environment(campaign, who, given):
            st.session_state[REFUSED] = "Another annotator answered first. Your answer is stored but not counted."
        st.session_state[f"{CHOSEN}-{campaign.id}"] = then
    except SlimError as error:
        st.session_state[REFUSED] = for_reader(error)


def _start_clock(campaign: Campaign, path: str) -> None:
    """Unless it runs already: other campaigns have environments of the same paths."""
    sheet = (campaign.id, path)
    if st.session_state.get(SINCE, (None, 0.0))[0] != sheet:
        st.session_state[SINCE] = (sheet, time.monotonic())


def _started(campaign: Campaign, path: str) -> float:
    shown, since = st.session_state.get(SINCE, (None, 0.0))
    return float(since) if shown == (campaign.id, path) else time.monotonic()


def _overview(found: Sheets, who: str) -> None:
    """What people say of every environment, to whoever is not asked about it any more."""
    rows = [
        {
            "Environment": each.path,
            "Name": each.consensus.name,
            "Images": len(each.positions),
            "Belongs to the class": (said := _said(found, each, who)),
            "Answers": _answers(found, each) if said else counted(each.consensus.n_answers, "answer"),
            "Effect": "" if each.consensus.n_answers and not said else _effect(found, each),
        }
        for each in found.environments
    ]
    with st.expander("All environments", icon=":material/table:"):
        narrow = dict.fromkeys(("Environment", "Images"), st.column_config.Column(width="small"))
        columns = {**narrow, "Answers": st.column_config.Column(width="large")}  # names of two or more people
        what = "What people say of every environment"
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=what, column_config=columns)
        if any(each.consensus.n_answers and _is_asked(found, each, who) for each in found.environments):
            st.caption("What others answered is shown once you have answered.")


def _answers(found: Sheets, environment: Environment) -> str:
    votes = sorted(found.of_environment(environment), key=lambda vote: vote.annotator)
    return ", ".join(f"{vote.annotator} {BELONGS[vote.value]}" for vote in votes)


def _effect(found: Sheets, environment: Environment) -> str:
    """What follows from what people say of it together."""
    if environment.consensus.value != MIXED:
        return FOLLOWS[environment.consensus.value]
    if environment.is_split:
        return "split; its parts are asked about instead"
    return _of_mixed(found, environment)


def _of_mixed(found: Sheets, environment: Environment) -> str:
    """What follows from *mixed*, as curation does it."""
    if environment.is_part:
        return "balanced as a whole, since a part is not split again"
    if not environment.can_be_split:
        return f"balanced as a whole, since an environment of fewer than {SMALLEST_SPLIT} images is not split"
    if found.campaign.overlap == 1:
        return "split in two, and its parts are asked about"
    return f"once {found.campaign.overlap} annotators have answered, split in two, and its parts are asked about"
