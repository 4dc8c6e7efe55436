"""Exports by address: made when they are asked for, sent from disk piece by piece."""

from __future__ import annotations

import shutil
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from app import session
from app.access import Viewer
from app.routes.guard import guarded
from app.services import exporting
from slim_core.export.registry import form_named
from slim_core.export.writing import source_of


def export_url(of: str, form: str, token: str) -> str:
    """Address of an export of a run or a campaign."""
    return f"/api/export/{of}/{form}?{urlencode({'token': token})}"


@guarded("viewer")
def export(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/export/{run or campaign}/{form}: its only file, or a zip."""
    form = form_named(request.path_params["form"])
    source = source_of(session.store(), request.path_params["of"])
    viewer.require_dataset(source.dataset_id)
    if not source.is_run:
        viewer.require_campaign(source.id)
    path, folder = exporting.packed(source, form)
    name = path.name if path.suffix == ".zip" else f"{source.id}-{path.name}"
    headers = {"Cache-Control": "no-store"}
    return FileResponse(path, filename=name, headers=headers, background=BackgroundTask(shutil.rmtree, folder))
