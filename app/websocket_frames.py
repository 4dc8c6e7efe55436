"""What comes over a page's websocket is a message that our pages send, or it does not reach Streamlit.

Streamlit itself logs a traceback for each frame that it cannot read, and answers messages that no page of ours sends,
all from whoever reaches the port, before they sign in: which files lie untracked in the folder of the code, or 200
bytes for each empty name of a file, while everybody else waits. Of each widget it keeps some 700 bytes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import streamlit as st
from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

PROTOCOL_ERROR = 1002  # RFC 6455, section 7.4.1
SENT = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request")
MOST_FILES = 100  # to be sent at once: none of our inputs takes as many
MOST_WIDGETS = 10_000  # of a page: it has some hundreds


class WebsocketFrames:
    """ASGI middleware before Streamlit's websocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but messages that no page sends, which are dropped, and frames that are no messages: after
        one of these the page has gone.
        """

        async def checked() -> Message:
            while True:
                event = await receive()
                if event["type"] != "websocket.receive" or is_too_large(event.get("bytes")):
                    return event
                message = message_in(event.get("bytes"))
                if message is None:
                    log.warning("A websocket sent a frame that is not a message of a page, and is closed")
                    await send({"type": "websocket.close", "code": PROTOCOL_ERROR})
                    return {"type": "websocket.disconnect", "code": PROTOCOL_ERROR}
                if is_of_a_page(message):
                    return event

        await self.app(scope, checked if scope["type"] == "websocket" else receive, send)


def is_too_large(frame: bytes | None) -> bool:
    """Whether Streamlit closes the websocket for the size of a frame: it is not read for that."""
    return frame is not None and len(frame) > st.get_option("server.maxWidgetStateSize") * 1_000_000


def message_in(frame: bytes | None) -> BackMsg | None:
    """A frame as a message; None where it is none. ``frame``: None where it holds text."""
    if frame is None:
        return None
    message = BackMsg()
    try:
        message.ParseFromString(frame)
    except DecodeError:
        return None
    return message


def is_of_a_page(message: BackMsg) -> bool:
    """Whether a page of the dashboard sends such a message."""
    n_files = len(message.file_urls_request.file_names)
    n_widgets = len(message.rerun_script.widget_states.widgets)
    return message.WhichOneof("type") in SENT and n_files <= MOST_FILES and n_widgets <= MOST_WIDGETS
