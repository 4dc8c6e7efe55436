"""Point clouds and other per-image arrays of a run, as plain float32 for typed arrays in the browser; and one point."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.routes.guard import guarded, tagged
from app.services.results import space_data
from app.session import Viewer
from slim_core.errors import NotFoundError
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import ARRAYS_OF_IMAGES, mapped

_FACTS = {"Attention precision": ATTENTION_PRECISION, "AIoU": AIOU, "Confidence": "confidence"}


@guarded("viewer")
def points(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/points/{run}/{name}.bin: the array's columns one after another, little-endian float32."""
    run_id, name = request.path_params["run"], request.path_params["name"]
    run = session.store().runs.fetch(run_id)
    viewer.require_dataset(run.dataset_id)
    file = ARRAYS_OF_IMAGES.get(name)
    if file is None or not session.store().artifacts.has(run_id, file):
        raise NotFoundError(f"Run {run_id} has no array {name}: ask for one of {', '.join(ARRAYS_OF_IMAGES)}.")
    etag = hashlib.sha256(f"{run_id}/{name}/{run.finished_at}".encode()).hexdigest()[:16]
    return tagged(request, etag, lambda: (_columns(run_id, file), "application/octet-stream"))


def _columns(run_id: str, file: str) -> bytes:
    array = mapped(session.store().artifacts.folder(run_id) / file)
    return np.asarray(array.T, dtype="<f4").tobytes()  # (n,) or (n, d) -> d columns of n


@guarded("viewer")
def point(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/points/{run}/at/{position}: what is known of one image of a space, for the card beside the pointer.

    The page names the run of the scores in the address, which this route does not read: a card is kept for an hour.
    """
    run_id, position = request.path_params["run"], request.path_params["position"]
    run = session.store().runs.fetch(run_id)
    viewer.require_dataset(run.dataset_id)
    if run.kind != "space" or run.status != "done":
        raise NotFoundError(f"Run {run_id} is not a finished space run, so it has no points.")
    data = space_data.load(run_id)
    if position >= len(data):
        raise NotFoundError(f"The space {run_id} has no point {position}: its points are 0..{len(data) - 1}.")
    return JSONResponse(_card(data.scores.iloc[position].to_dict()), headers={"Cache-Control": "private, max-age=3600"})


def _card(scores: Mapping[Any, Any]) -> dict[str, object]:
    known = [(name, scores.get(column)) for name, column in _FACTS.items()]
    return {
        "row": int(scores["row"]),
        "title": f"{scores['label_name']} → {scores['prediction_name']}",
        "group": scores["group"],
        "correct": bool(scores["correct"]),
        "facts": [[name, f"{value:.2f}"] for name, value in known if isinstance(value, float) and math.isfinite(value)],
    }
