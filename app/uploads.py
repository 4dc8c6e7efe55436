"""Who may send files: sessions to which a page has just shown a file input, which only a lead's pages do.

Streamlit takes files into memory from whoever holds a session, and a session is had before signing in.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.access import TOKEN_VALID_S

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]*)")  # Streamlit's, below server.baseUrlPath
_asked: dict[str, float] = {}  # session -> when its page last showed a file input (monotonic seconds)


def ask() -> None:
    """Beside each ``st.file_uploader``: this session may send files."""
    context = get_script_run_ctx()
    if context is None:
        return
    now = time.monotonic()
    known = list(_asked.items())  # at once: other sessions run in threads of their own, and write meanwhile
    for session in [each for each, since in known if now - since > TOKEN_VALID_S]:
        _asked.pop(session, None)
    _asked[context.session_id] = now


def is_asked(session: str) -> bool:
    """Whether a page has shown this session a file input, not too long ago."""
    since = _asked.get(session)
    return since is not None and time.monotonic() - since <= TOKEN_VALID_S


class Uploads:
    """ASGI middleware before Streamlit's address for files: the size of each is held to server.maxUploadSize there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a file that no page asked for, before a byte of it is read."""
        found = _UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] != "OPTIONS" else None
        if found is None or is_asked(found[1]):
            await self.app(scope, receive, send)
            return
        refusal = "No page of this session asks for a file: reload the page, and sign in as a lead."
        await PlainTextResponse(refusal, status_code=403, headers={"Connection": "close"})(scope, receive, send)
