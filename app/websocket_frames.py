"""What comes over a page's websocket is a message of Streamlit, or the websocket is closed with one line in the log.

Streamlit itself logs a traceback for each frame that it cannot read, which anybody who reaches the port may send.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

PROTOCOL_ERROR = 1002  # RFC 6455, section 7.4.1


class WebsocketFrames:
    """ASGI middleware before Streamlit's websocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but frames that are no messages; after one of these the page has gone."""

        async def checked() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive" or is_message(message.get("bytes")):
                return message
            log.warning("A websocket sent a frame that is not a message of a page, and is closed")
            await send({"type": "websocket.close", "code": PROTOCOL_ERROR})
            return {"type": "websocket.disconnect", "code": PROTOCOL_ERROR}

        await self.app(scope, checked if scope["type"] == "websocket" else receive, send)


def is_message(frame: bytes | None) -> bool:
    """Whether a frame can be read; ``None``: it holds text."""
    if frame is None:
        return False
    try:
        BackMsg().ParseFromString(frame)
    except DecodeError:
        return False
    return True
