"""What the annotation page asks of the server: its next images under leases, the keeping of answers, a way back.

A page sends the id of its session (a browser tab) with everything, so that two tabs never show the same image at once.
"""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.annotate.questions import described
from app.routes.guard import guarded
from app.session import Viewer
from slim_core.errors import AnswersRefusedError

if TYPE_CHECKING:
    from slim_core.store import AnswerIn, Campaign
    from slim_core.store.campaigns.assignments import Progress

MAX_ANSWERS = 500
MAX_AHEAD = 100  # images a page may hold at once
MAX_BACK = 100
MAX_TEXT = 80  # letters of an id or of a session
MAX_WAS = 10  # sessions that a page may resume
_left: deque[tuple[str, str]] = deque(maxlen=1_000)  # (campaign, session) of pages that closed lately


@guarded("annotator")
def upcoming(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/next: the images this session shows next, its leases on them renewed, and how far the campaign is."""
    from slim_core.store.campaigns.campaigns import CampaignClosedError

    campaign_id, who = _campaign_and_name(body, viewer)
    assignments, tab = session.store().assignments, _text(body, "session")
    n, after = _number(body, "n", 1, MAX_AHEAD), _number({"after": -1} | body, "after", -1, 2**31)
    was = body.get("was", [])
    if not isinstance(was, list) or len(was) > MAX_WAS or not all(_is_text(one) for one in was):
        raise AnswersRefusedError(
            f"was is a list of at most {MAX_WAS} sessions, not {reprlib.repr(was)}: reload the page."
        )
    try:
        found = assignments.assign(campaign_id, who, n, tab, was=was, after=after)
    except CampaignClosedError as error:
        return _closed(error)
    if (campaign_id, tab) in _left:  # the page closed while it asked: this response is never shown
        assignments.release(campaign_id, who, tab)
    shown = described(found.campaign, found.items, found.dataset, guess=bool(body.get("guess")))
    return JSONResponse({"items": shown, "progress": _progress(found.progress, who)})


@guarded("annotator")
def answers(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/answers: keep them all in one transaction, then name the ids that are kept (again).

    One about an image that the campaign does not ask about holds up no other: it is named as ``unknown``, not kept.
    """
    from slim_core.store.campaigns.campaigns import CampaignClosedError

    campaign_id, who = _campaign_and_name(body, viewer)
    given = body.get("answers")
    if not isinstance(given, list) or len(given) > MAX_ANSWERS:
        raise AnswersRefusedError(f"Send a list of at most {MAX_ANSWERS} answers at once.")
    tab, read = _text(body, "session") if body.get("session") else "", [_answer(one) for one in given]
    try:
        kept = session.store().answers.deliver(campaign_id, who, read, tab)
    except CampaignClosedError as error:
        return _closed(error)
    reply = {"ids": kept.ids, "over_quota": kept.over_quota, "lost": kept.lost, "unknown": kept.unknown}
    return JSONResponse(reply)


@guarded("annotator")
def given(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/given: this annotator's last answers that count now, newest first, to be undone or changed."""
    campaign_id, who = _campaign_and_name(body, viewer)
    before = None if body.get("before") is None else _number(body, "before", 0, 2**62)
    campaign = _answered_by(campaign_id, who)
    found = session.store().answers.latest(campaign_id, who, _number(body, "n", 1, MAX_BACK), before)
    if not campaign.is_blind:
        session.store().campaigns.require_space(campaign)
    shown = described(campaign, [each.item for each in found])
    return JSONResponse(
        {"given": [one | {"value": each.value, "seq": each.seq} for one, each in zip(shown, found, strict=True)]}
    )


@guarded("annotator")
def release(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/release: a page closes and gives back the images it held."""
    campaign_id, who = _campaign_and_name(body, viewer)
    _answered_by(campaign_id, who)
    tab = _text(body, "session")
    _left.append((campaign_id, tab))
    session.store().assignments.release(campaign_id, who, tab)
    return JSONResponse({})


def _closed(error: AnswersRefusedError) -> Response:
    return JSONResponse({"error": str(error), "closed": True}, status_code=409)


def _campaign_and_name(body: dict[str, Any], viewer: Viewer) -> tuple[str, str]:
    """The campaign asked for, and the annotator's name.

    Whether the campaign names them among its annotators is checked in the transaction that reads or writes it.
    """
    value = body.get("campaign")
    if not _is_text(value):
        raise AnswersRefusedError("Name the campaign: reload the page.")
    viewer.require_campaign(value)
    return value, viewer.name


def _answered_by(campaign_id: str, who: str) -> Campaign:
    """The campaign, if this person may answer it."""
    campaign = session.store().campaigns.fetch(campaign_id)
    campaign.require_annotator(who)
    return campaign


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TEXT and value.isprintable()


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not _is_text(value):
        raise AnswersRefusedError(
            f"{name} is a text of 1 to {MAX_TEXT} characters, not {reprlib.repr(value)}: reload the page."
        )
    return value


def _number(body: dict[str, Any], name: str, least: int, most: int) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        sent = reprlib.repr(value)
        raise AnswersRefusedError(f"{name} is a whole number from {least} to {most}, not {sent}: reload the page.")
    return value


def _progress(progress: Progress, who: str) -> dict[str, Any]:
    held = [
        {"who": one.annotator, "n": one.n_items, "seconds": round(one.seconds_left), "you": one.annotator == who}
        for one in progress.leases
    ]
    return {"total": progress.total, "done": progress.done, "answered": progress.answered, "held": held}


def _answer(one: object) -> AnswerIn:
    """An answer as it was sent, whatever that is: the store checks it."""
    from slim_core.store import AnswerIn

    sent: Mapping[str, Any] = one if isinstance(one, Mapping) else {}
    seen, duration = (empty if sent.get(name) is None else sent[name] for name, empty in (("seen", {}), ("ms", 0)))
    return AnswerIn(
        id=sent.get("id", ""),
        item_id=sent.get("item", -1),
        value=sent.get("value"),
        seen=seen,
        duration_ms=duration,
        skip=sent.get("skip") is True,
    )
