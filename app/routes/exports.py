"""Exports by address: made when they are asked for, sent from disk piece by piece."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from app import session
from app.routes.assets import below
from app.routes.guard import guarded
from app.services.exporting import ExportFolder, packed
from app.session import Viewer
from slim_core.export.writing import form_named, source_of


def export_url(of: str, form: str, token: str) -> str:
    """Address of an export of a run or a campaign."""
    return below(f"/api/export/{of}/{form}?{urlencode({'token': token})}")


@guarded("viewer")
def export(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/export/{run or campaign}/{form}: its only file, or a zip."""
    form = form_named(request.path_params["form"])
    source = source_of(session.store(), request.path_params["of"])
    viewer.require_dataset(source.dataset_id)
    if not source.is_run:
        viewer.require_campaign(source.id)
    path, folder = packed(source, form)
    name = path.name if path.suffix == ".zip" else f"{source.id}-{path.name}"
    return TemporaryFileResponse(path, folder, name)


class TemporaryFileResponse(FileResponse):
    """A file whose folder is removed then, whether it was sent or not.

    A background task would not run where the range of a request is refused, or where the browser leaves.
    """

    def __init__(self, path: Path, folder: ExportFolder, name: str) -> None:
        super().__init__(path, filename=name, headers={"Cache-Control": "no-store"})
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._folder.remove)
