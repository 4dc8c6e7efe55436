"""A page without a browser: the session's websocket, used as Streamlit's own code in the browser uses it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

OPEN_TIMEOUT_S = 30.0
ALERT_OF_ERROR = 1  # streamlit.proto.Alert.ERROR
_TRIGGER = "$$STREAMLIT_INTERNAL_KEY_{}__events"  # the widget by which a component of version 2 says what happened


def connected(
    port: int,
    *,
    host: str | None = None,
    origin: str | None = None,
    path: str = "/_stcore/stream",
    headers: Mapping[str, str] | None = None,
) -> ClientConnection:
    """A websocket of a session; ``host`` and ``origin`` as a browser on another page would send them."""
    here = f"127.0.0.1:{port}"
    return connect(
        f"ws://{host or here}{path}",
        sock=socket.create_connection(("127.0.0.1", port), timeout=OPEN_TIMEOUT_S),
        origin=Origin(origin or f"http://{host or here}"),
        subprotocols=[Subprotocol("streamlit")], additional_headers=dict(headers or {}),
        open_timeout=OPEN_TIMEOUT_S, close_timeout=1, max_size=None, ping_interval=None,  # as a browser
    )  # fmt: skip


def rerun(page: str, query: str) -> BackMsg:
    """The message that asks for a run of a page's script."""
    message = BackMsg()
    message.rerun_script.page_name = page
    message.rerun_script.query_string = query
    return message


def problem_of(message: ForwardMsg) -> str | None:
    """ "exception" or "error" where the message shows one on the page."""
    kind = message.delta.new_element.WhichOneof("type") if message.WhichOneof("type") == "delta" else None
    is_error = kind == "alert" and message.delta.new_element.alert.format == ALERT_OF_ERROR
    return "exception" if kind == "exception" else "error" if is_error else None


@dataclass
class _Fragment:
    """A part of the page that is run again and again."""

    every_s: float
    due: float


@dataclass
class PageSession:
    """One page in one tab: it follows its fragments as a browser does, and keeps the data of its component."""

    port: int
    page: str
    query: str
    headers: Mapping[str, str] = field(default_factory=dict)
    component: str = ""  # the name of the one that is of interest
    data: dict[str, Any] = field(default_factory=dict)  # what the page last gave it
    problems: list[str] = field(default_factory=list)  # errors and exceptions that were shown
    n_runs: int = 0  # of the whole script

    def open(self, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        """Open the page and read all that it shows.

        Raises:
            TimeoutError: its script does not end in time.
            OSError, websockets.exceptions.WebSocketException: there is no such server, or it has refused.
        """
        self._fragments: dict[str, _Fragment] = {}
        self._buttons: dict[str, tuple[str, str]] = {}  # label -> widget, and the fragment that has drawn it last
        self._id = self._script = ""
        self._open = ExitStack()
        self._socket = self._open.enter_context(connected(self.port, headers=self.headers))
        self._ask(rerun(self.page, self.query))
        until = time.monotonic() + timeout_s
        while not self._read(until):
            pass

    def trigger(self, event: str) -> None:
        """What the component says to its page."""
        message = rerun(self.page, self.query)
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id = _TRIGGER.format(self._id)
        widget.json_trigger_value = json.dumps([{"event": event, "value": 1}])
        self._ask(message)

    def press(self, label: str) -> None:
        """Press the button of that label, as the page has drawn it last."""
        message = rerun(self.page, self.query)
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id, message.rerun_script.fragment_id = self._buttons[label]
        widget.trigger_value = True
        self._ask(message)

    def follow(self, until: float) -> None:
        """Read what comes until then (monotonic seconds), and ask for each fragment whenever it is due."""
        while (now := time.monotonic()) < until:
            due = min((one.due for one in self._fragments.values()), default=until)
            if due <= now:
                self._ask_for_fragments(now)
                continue
            try:
                self._read(min(due, until))
            except TimeoutError:
                continue

    @property
    def polls(self) -> bool:
        """Whether a part of it is run again and again."""
        return bool(self._fragments)

    def close(self) -> None:
        """Leave the page."""
        self._open.close()

    def _ask(self, message: BackMsg) -> None:
        if self._script:
            message.rerun_script.page_script_hash = self._script
        self._socket.send(message.SerializeToString())

    def _ask_for_fragments(self, now: float) -> None:
        for name, one in self._fragments.items():
            if one.due <= now:
                one.due = now + one.every_s
                message = rerun(self.page, self.query)
                message.rerun_script.fragment_id = name
                message.rerun_script.is_auto_rerun = True
                self._ask(message)

    def _read(self, until: float) -> bool:
        """Read one message; True where a run of the script has ended."""
        message = ForwardMsg()
        message.ParseFromString(self._socket.recv(timeout=max(0.001, until - time.monotonic())))
        kind = message.WhichOneof("type")
        if found := problem_of(message):
            self.problems.append(f"{found} on the page: {str(message.delta.new_element)[:300]}")
        if kind == "new_session":
            self._begin(message)
        elif kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            every_s = message.auto_rerun.interval
            self._fragments[message.auto_rerun.fragment_id] = _Fragment(every_s, time.monotonic() + every_s)
        elif kind == "stop_auto_rerun":
            for name in message.stop_auto_rerun.fragment_ids:
                self._fragments.pop(name, None)
        elif kind == "delta":
            self._keep(message)
        return kind == "script_finished"

    def _begin(self, message: ForwardMsg) -> None:
        """A run of the whole script says anew what is to be polled."""
        if not message.metadata.run.fragment_ids:
            self._fragments.clear()
            self.n_runs += 1

    def _keep(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        if element.WhichOneof("type") == "button":
            self._buttons[element.button.label] = element.button.id, message.delta.fragment_id
        if element.WhichOneof("type") == "bidi_component" and element.bidi_component.component_name == self.component:
            self._id = element.bidi_component.id
            self.data = json.loads(element.bidi_component.json)
