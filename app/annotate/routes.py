"""What the annotation page asks of the server: its next images under leases, the keeping of answers, a way back.

A page sends the id of its session (a browser tab) with everything, so that two tabs never show the same image at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.access import Viewer
from app.annotate.questions import described
from app.routes.guard import guarded
from slim_core.errors import AnswersRefusedError

if TYPE_CHECKING:
    from slim_core.store.assignments import Standing

MAX_ANSWERS = 500
MAX_AHEAD = 100  # images a page may hold at once
MAX_BACK = 100
MAX_WAS = 10  # pages that a page may go on from
_left: deque[tuple[str, str]] = deque(maxlen=1_000)  # (campaign, session) of pages that closed lately


@guarded("annotator")
def upcoming(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/next: the images this session shows next, its leases on them renewed, and how far the campaign is."""
    from slim_core.store.assignments import CampaignClosedError

    campaign_id, who = _allowed(body, viewer)
    campaigns, tab = session.store().campaigns, _text(body, "session")
    n, after = _number(body, "n", 1, MAX_AHEAD), _number({"after": -1} | body, "after", -1, 2**31)
    was = body.get("was", [])
    if not isinstance(was, list) or len(was) > MAX_WAS:
        raise AnswersRefusedError(f"was is a list of at most {MAX_WAS} sessions, not {was!r}: reload the page.")
    campaign = campaigns.fetch(campaign_id)
    campaigns.require_space(campaign)
    try:
        items = campaigns.next_items(campaign_id, who, n, tab, was=[str(one)[:80] for one in was], after=after)
    except CampaignClosedError as error:
        return JSONResponse({"error": str(error), "closed": True}, status_code=409)
    if (campaign_id, tab) in _left:  # a question that the page's farewell has overtaken: nobody sees its answer
        campaigns.release(campaign_id, who, tab)
    told = described(campaign, items, guess=bool(body.get("guess")))
    return JSONResponse({"items": told, "standing": _standing(campaigns.standing(campaign_id, who, tab), who)})


@guarded("annotator")
def answers(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/answers: keep them all in one transaction, then name the ids that are kept (again).

    One about an image that the campaign does not ask about holds up no other: it is named as ``strange``, not kept.
    """
    from slim_core.store.assignments import CampaignClosedError

    campaign_id, who = _allowed(body, viewer)
    given = body.get("answers")
    if not isinstance(given, list) or len(given) > MAX_ANSWERS:
        raise AnswersRefusedError(f"Send a list of at most {MAX_ANSWERS} answers at once.")
    tab, campaigns, read = (
        str(body.get("session") or "")[:80],
        session.store().campaigns,
        [_answer(one) for one in given],
    )
    strangers = campaigns.strangers(campaign_id, [answer.item_id for answer in read])
    strange = [answer.id for answer in read if answer.item_id in strangers]
    try:
        receipt = campaigns.deliver(campaign_id, who, [one for one in read if one.item_id not in strangers], tab)
    except CampaignClosedError as error:
        return JSONResponse({"error": str(error), "closed": True}, status_code=409)
    return JSONResponse({"ids": receipt.ids, "surplus": receipt.surplus, "lost": receipt.lost, "strange": strange})


@guarded("annotator")
def given(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/given: this annotator's last answers that count now, newest first, to be undone or changed."""
    campaign_id, who = _allowed(body, viewer)
    before = None if body.get("before") is None else _number(body, "before", 0, 2**62)
    store = session.store()
    found = store.campaigns.given(campaign_id, who, _number(body, "n", 1, MAX_BACK), before)
    told = described(store.campaigns.fetch(campaign_id), [each.item for each in found])
    return JSONResponse(
        {"given": [one | {"value": each.value, "seq": each.seq} for one, each in zip(told, found, strict=True)]}
    )


@guarded("annotator")
def release(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/release: a page closes and gives back the images it held."""
    campaign_id, who = _allowed(body, viewer)
    tab = _text(body, "session")
    _left.append((campaign_id, tab))
    session.store().campaigns.release(campaign_id, who, tab)
    return JSONResponse({})


def _allowed(body: dict[str, Any], viewer: Viewer) -> tuple[str, str]:
    """The campaign asked for and the annotator's name, if this person may answer there as of now."""
    value = body.get("campaign")
    if not isinstance(value, str) or not value:
        raise AnswersRefusedError("Name the campaign: reload the page.")
    viewer.require_campaign(value)
    session.as_of_now(viewer).require("annotator")
    session.store().campaigns.require_annotator(value, viewer.name)
    return value, viewer.name


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 80 or not value.isprintable():
        raise AnswersRefusedError(f"{name} is a text of 1 to 80 letters, not {value!r}: reload the page.")
    return value


def _number(body: dict[str, Any], name: str, least: int, most: int) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise AnswersRefusedError(f"{name} is a whole number from {least} to {most}, not {value!r}: reload the page.")
    return value


def _standing(standing: Standing, who: str) -> dict[str, Any]:
    held = [{"who": one.annotator, "n": one.n, "seconds": round(one.seconds)} for one in standing.held]
    return {
        "total": standing.total,
        "done": standing.done,
        "answered": standing.answered,
        "held": [one | {"you": one["who"] == who} for one in held],
    }


def _answer(one: object) -> Any:
    from slim_core.store import AnswerIn

    if not isinstance(one, Mapping) or not isinstance(one.get("id"), str):
        raise AnswersRefusedError("An answer needs an id of its own: reload the page.")
    value, seen, duration = one.get("value"), one.get("seen") or {}, one.get("ms") or 0
    if value not in (1, 0, -1, None) or isinstance(value, bool | float):
        raise AnswersRefusedError(f"An answer is 1 (right), 0 (wrong), -1 (unsure) or null (undone), not {value!r}.")
    if not isinstance(seen, Mapping) or not isinstance(duration, int | float):
        raise AnswersRefusedError(f"Answer {one['id']} is malformed: reload the page.")
    return AnswerIn(
        id=one["id"],
        item_id=one.get("item"),
        value=value,
        seen=dict(seen),
        duration_ms=int(duration),
        skip=one.get("skip") is True,
    )
