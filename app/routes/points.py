"""Point clouds and other per-image arrays of a run, as plain float32 for typed arrays in the browser."""

from __future__ import annotations

import hashlib

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from app import session
from app.access import Viewer
from app.routes.guard import guarded, tagged
from slim_core.errors import NotFoundError

# What a page may ask for: small per-image arrays, not maps or features.
NAMES = ("rows", "attention_space", "environment_space", "clusters", "scores")


@guarded("viewer")
def points(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/points/{run}/{name}.bin: the array's columns one after another, little-endian float32."""
    run_id, name = request.path_params["run"], request.path_params["name"]
    run = session.store().runs.fetch(run_id)
    viewer.require_dataset(run.dataset_id)
    if name not in NAMES or not session.store().artifacts.has(run_id, f"{name}.npy"):
        raise NotFoundError(f"Run {run_id} has no array {name}: ask for one of {', '.join(NAMES)}.")
    etag = hashlib.sha256(f"{run_id}/{name}/{run.finished_at}".encode()).hexdigest()[:16]
    return tagged(request, etag, lambda: (_columns(run_id, name), "application/octet-stream"))


def _columns(run_id: str, name: str) -> bytes:
    array = np.load(session.store().artifacts.folder(run_id) / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return np.asarray(array.T, dtype="<f4").tobytes()  # (n,) or (n, d) -> d columns of n
