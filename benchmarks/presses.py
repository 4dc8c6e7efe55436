"""How many presses of a button Streamlit loses beside another input, with and without ``runner.fastReruns``.

A page of one text field and two buttons, one read by ``if st.button`` and one with ``on_click``, as its browser sends
both: a text and a press within the time of a run, in either order, and then nothing until the page is quiet.
docs/decisions/0017 says why the dashboard has it off.

    python -m benchmarks.presses --json benchmarks/results/presses.json
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection

from benchmarks.dashboard import wait_for
from benchmarks.page_session import connected, rerun
from benchmarks.processes import LOOPBACK, end, free_port

PAGE = """
import streamlit as st
def count(name): st.session_state[name] = st.session_state.get(name, 0) + 1
st.text_input("text", key="text")
if st.button("read", key="read"): count("n_read")
st.button("called", key="called", on_click=count, args=("n_called",))
st.markdown(f"{st.session_state.get('n_read', 0)} {st.session_state.get('n_called', 0)}")
"""
QUIET_S = 0.45  # without a message: the page is done
WITHIN_S = 0.12  # the second input after the first; a run takes some 0.1 s on a busy machine
ORDERS = {"text_then_press": False, "press_then_text": True}


class Tab:
    """One browser on the page."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line
        self.ids: dict[str, str] = {}
        self.counted = (0, 0)
        self.line.send(rerun("", "").SerializeToString())
        self.rest()

    def rest(self) -> None:
        """Read until nothing comes any more."""
        while True:
            try:
                self._read(self.line.recv(timeout=QUIET_S))
            except TimeoutError:
                return

    def send(self, text: str, *pressed: str) -> None:
        """The text of the field, and the buttons that are pressed."""
        message: BackMsg = rerun("", "")
        widgets = message.rerun_script.widget_states.widgets
        widgets.add(id=self.ids["text"], string_value=text)
        for name in pressed:
            widgets.add(id=self.ids[name], trigger_value=True)
        self.line.send(message.SerializeToString())

    def counts(self) -> tuple[int, int]:
        """What the page has counted so far: of the button that is read, and of the one that calls."""
        self.rest()
        self.send("how many")
        self.rest()
        return self.counted

    def _read(self, raw: bytes) -> None:
        message = ForwardMsg()
        message.ParseFromString(raw)
        element = message.delta.new_element
        kind = element.WhichOneof("type") if message.WhichOneof("type") == "delta" else None
        if kind == "text_input":
            self.ids["text"] = element.text_input.id
        elif kind == "button":
            self.ids[element.button.label] = element.button.id
        elif kind == "markdown":
            read, called = map(int, element.markdown.body.split())
            self.counted = read, called


@contextmanager
def page(folder: Path, fast_reruns: bool) -> Iterator[int]:
    """The port of a server of the page."""
    (folder / "page.py").write_text(PAGE)
    port, log = free_port(), folder / "server.log"
    options = {"server.port": port, "server.address": LOOPBACK, "server.headless": "true",
               "server.fileWatcherType": "none", "browser.gatherUsageStats": "false",
               "runner.fastReruns": str(fast_reruns).lower()}  # fmt: skip
    flags = [f"--{name}={value}" for name, value in options.items()]
    with log.open("wb") as out:
        start = [sys.executable, "-m", "streamlit", "run", "page.py", *flags]
        process = subprocess.Popen(start, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://{LOOPBACK}:{port}/_stcore/health", process, log)
        yield port
    finally:
        end(process)


def lost(tab: Tab, n: int, press_first: bool, chance: random.Random) -> dict[str, int]:
    """Presses of either button that the page has not counted."""
    before = tab.counts()
    for number in range(n):
        tab.send(f"first {number}", *(("read", "called") if press_first else ()))
        time.sleep(chance.uniform(0, WITHIN_S))
        tab.send(f"second {number}", *(() if press_first else ("read", "called")))
        tab.rest()
    after = tab.counts()
    return {"if_button": n - after[0] + before[0], "on_click": n - after[1] + before[1]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=300, help="in each order")
    parser.add_argument("--seed", type=int, default=0, help="of the times between the two inputs")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, object] = {"presses": args.presses}
    for fast_reruns in (True, False):
        chance = random.Random(args.seed)  # both servers get the same
        with tempfile.TemporaryDirectory() as folder, page(Path(folder), fast_reruns) as port, connected(port) as line:
            tab = Tab(line)
            found[f"lost_{'with' if fast_reruns else 'without'}_fast_reruns"] = {
                order: lost(tab, args.presses, press_first, chance) for order, press_first in ORDERS.items()
            }
        print(json.dumps(found, indent=1), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
