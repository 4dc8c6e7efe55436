"""What the annotation page asks of the server: its items, a lease on the next one, and the keeping of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.access import Viewer
from app.routes.guard import guarded
from slim_core.errors import AnswersRefusedError

MAX_ANSWERS = 500


@guarded("viewer")
def items(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """GET /api/items?campaign=: every item with its current answer, in the campaign's order."""
    campaign = _campaign(request.query_params.get("campaign"), viewer)
    store = session.store()
    current = store.campaigns.current(campaign)
    names = store.datasets.table(store.campaigns.fetch(campaign).dataset_id).label_names
    listed = [_item(item, names) | {"answer": current.get(item.row)} for item in store.campaigns.items(campaign)]
    return JSONResponse({"items": listed, "progress": store.campaigns.progress(campaign)})


@guarded("annotator")
def lease(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/lease: the next unanswered item, kept for this annotator for two minutes; null when none is left."""
    campaign = _campaign(body.get("campaign"), viewer)
    store = session.store()
    item = store.campaigns.next_item(campaign, viewer.name)
    names = store.datasets.table(store.campaigns.fetch(campaign).dataset_id).label_names
    answer = None if item is None else _item(item, names)
    return JSONResponse({"item": answer, "progress": store.campaigns.progress(campaign)})


@guarded("annotator")
def answers(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/answers: keep them all in one transaction, then name the ids that are kept (again)."""
    campaign = _campaign(body.get("campaign"), viewer)
    given = body.get("answers")
    if not isinstance(given, list) or len(given) > MAX_ANSWERS:
        raise AnswersRefusedError(f"Send a list of at most {MAX_ANSWERS} answers at once.")
    store = session.store()
    kept = store.campaigns.save_answers(campaign, viewer.name, [_answer(one) for one in given])
    return JSONResponse({"ids": list(kept), "progress": store.campaigns.progress(campaign)})


def _campaign(value: object, viewer: Viewer) -> str:
    if not isinstance(value, str) or not value:
        raise AnswersRefusedError("Name the campaign: reload the page.")
    viewer.require_campaign(value)
    return value


def _item(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {"id": item.id, "row": item.row, "label": item.label, "label_name": names[item.label]}


def _answer(one: object) -> Any:
    from slim_core.store import AnswerIn

    if not isinstance(one, Mapping) or not isinstance(one.get("id"), str):
        raise AnswersRefusedError("An answer needs an id of its own: reload the page.")
    value, seen, duration = one.get("value"), one.get("seen") or {}, one.get("ms") or 0
    if value not in (1, 0, -1, None) or isinstance(value, bool | float):
        raise AnswersRefusedError(f"An answer is 1 (right), 0 (wrong), -1 (unsure) or null (undone), not {value!r}.")
    if not isinstance(seen, Mapping) or not isinstance(duration, int | float):
        raise AnswersRefusedError(f"Answer {one['id']} is malformed: reload the page.")
    return AnswerIn(id=one["id"], item_id=one.get("item"), value=value, seen=dict(seen), duration_ms=int(duration))
