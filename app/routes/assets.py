"""Files for the browser: those in the static folder of each page and of ui, compressed once, then kept."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from app.routes.base_path import below
from app.routes.guard import refusal
from slim_core.errors import NotFoundError

APP = Path(__file__).parents[1]
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}


def static(name: str) -> Path:
    """The file of an asset, "space/plot.js" for example.

    Raises:
        NotFoundError: no page and not ui has such a file.
    """
    folder, _, file = name.partition("/")
    path = APP / folder / "static" / file
    if not folder.isidentifier() or Path(file).name != file or path.suffix not in _TYPES or not path.is_file():
        raise NotFoundError(f"There is no asset {name}. Reload the page.")
    return path


def asset_url(name: str) -> str:
    """Address of an asset, with its content's hash, so that browsers may keep it for good."""
    return below(f"/assets/{name}?v={_load(name, _stamp(name))[1]}")


def asset(request: Request) -> Response:
    """GET /assets/{folder}/{name}: open to all, for it is the same public code for everyone."""
    name = "{folder}/{name}".format_map(request.path_params)
    try:
        content, digest = _load(name, _stamp(name))
    except NotFoundError as error:
        return refusal(error)
    fresh = request.query_params.get("v") == digest
    headers = {
        "ETag": f'"{digest}"',
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


def _stamp(name: str) -> int:
    return static(name).stat().st_mtime_ns


@lru_cache(maxsize=200)  # more than there are: of too few, each page would compress its own anew
def _load(name: str, stamp: int) -> tuple[bytes, str]:  # noqa: ARG001  # the stamp makes an edited file a new entry
    """(gzipped content, its hash)."""
    content = static(name).read_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0), hashlib.sha256(content).hexdigest()[:16]
