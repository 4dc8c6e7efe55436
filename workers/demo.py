"""``slim studio``: the dashboard, its workers and its Redis, until Ctrl-C; ``slim demo``: the whole loop in it, too.

A second demo finds every run done and shows the table at once. Everything it starts ends with it.
"""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from slim_core.api import data_set
from slim_core.cli.kit.console import refuse, say, tell
from slim_core.cli.kit.interrupt import interrupt
from slim_core.cli.kit.progress import ProgressWorkbench, bars, progress_bar
from slim_core.cli.loop import show_outcomes
from slim_core.data.sets import SETS, DemoSet, make_set
from slim_core.data.sets.demo_set import write_set
from slim_core.data.sets.digits import DemoConfig
from slim_core.data.sets.pictures import Pictures
from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.names import SMALL_RESNET
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig, Trained
from slim_core.runs.methods import Loop, Outcome
from slim_core.runs.trainings import default_model
from slim_core.settings import Settings, settings
from slim_core.signals import bound
from slim_core.store import Dataset, Store
from workers.local import EmbeddedServices, environment
from workers.queue import Submitter

HOST = "127.0.0.1"
BY = "make demo"
METHODS = ("random", "slim")  # beside the reference: ERM to convergence would take as long as all of them
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
AS_STUDIED = {name: {"correlation": 0.95} for name in ("pictures", "stickers")}  # benchmarks/accuracy/studies.py
SHOWN = {"charts": "colour-chart"}
MAIN = Path(__file__).resolve().parents[1] / "app" / "main.py"
LOG_LINES = 15  # shown where the dashboard ends by itself


def check_port(port: int) -> None:
    """Refuse a port that something listens on.

    Raises:
        SpecRefusedError: it is busy, or no port.
    """
    if not 0 < port < 65536:
        raise SpecRefusedError(f"{port} is not a port: choose one from 1024 to 65535, make demo PORT=8502.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            another = min(port + 1, 65535)
            raise SpecRefusedError(
                f"Port {port} is busy: end what uses it, or take --port {another} (make demo PORT={another})."
            ) from error


class Dashboard:
    """``streamlit run app/main.py`` as a child that cannot outlive this process."""

    def __init__(self, given: Settings, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log_path = given.home.resolve() / "dashboard.log"
        self._settings, self._port = given, port
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns once it answers.

        Raises:
            SpecRefusedError: it ended, or does not answer in time; with the end of its log.
        """
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("wb") as output:
            self._child = self._spawn(output)
        until = time.monotonic() + START_TIMEOUT_S
        while not _healthy(f"{self.url}/_stcore/health"):
            if self._child.poll() is not None or time.monotonic() > until:
                raise SpecRefusedError(
                    f"The dashboard did not start; the end of {self.log_path}:\n{self._last_lines()}"
                )
            time.sleep(0.1)

    def wait(self) -> int:
        """Until it ends by itself; its exit code."""
        return self._child.wait() if self._child else 0

    def stop(self) -> None:
        """End it, and with it Redis and the workers."""
        if self._child is None or self._child.poll() is not None:
            return
        try:
            self._child.terminate()
            self._child.wait(STOP_TIMEOUT_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):  # who presses Ctrl-C again does not want to wait
            self._child.kill()  # its own children are bound to it
            self._child.wait()

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        options = {"server.port": self._port, "server.address": HOST, "server.headless": "true"}
        options |= {"browser.gatherUsageStats": "false", "server.fileWatcherType": "none"}
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return subprocess.Popen(
            bound([sys.executable, "-m", "streamlit", "run", str(MAIN), *flags]),
            env=environment(self._settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C reaches this process alone, which ends the dashboard in order
        )

    def _last_lines(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-LOG_LINES:])


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def run_loop(given: Settings, folder: Path, drawn: DemoSet) -> list[Outcome]:
    """The whole loop through the queue, with a bar a run."""
    store = Store.open(given)
    plain = Workbench(store, Submitter(store, by=BY))
    config = config_of(data_set(folder, name=called(drawn), at=plain), drawn)
    with bars() as display:
        loop = Loop(ProgressWorkbench(plain, display, ends_with_it=True), config)
        reference = loop.came_to("reference", "none", Trained(loop.reference))
        return [reference, *(loop.outcome(method) for method in METHODS)]


def config_of(dataset: Dataset, drawn: DemoSet) -> LoopConfig:
    """How the demo goes through the loop: of a pretrained network only last layers, which is minutes on two cores."""
    model = default_model(dataset)
    last_layers: dict[str, Any] = {"frozen": True, "maps_on_test": True, "train": {"image_size": drawn.size}}
    how = {} if model == SMALL_RESNET else last_layers
    return LoopConfig(dataset=dataset.id, seed=drawn.seed, model=model, **how)


DRAWN = tuple(name for name, demo in SETS.items() if not demo.drawn_from_files)  # --set names no folder


def demo_set(name: str, seed: int = 0, **given: Any) -> DemoSet:
    """The set as the demo draws it: for a pretrained network as the studies do, with fewer images of test.

    ``given``: parameters of the set that go before these.
    """
    of_network = {"size": 160, "train": 1600, "val": 400, "test": 800} if issubclass(SETS[name], Pictures) else {}
    return make_set(name, **{"seed": seed, **of_network, **AS_STUDIED.get(name, {}), **given})


def shown(drawn: DemoSet) -> str:
    """The set, called after what it shows."""
    return SHOWN.get(drawn.name, drawn.name)


def called(drawn: DemoSet) -> str:
    """What people see of it: ``colour-chart-demo``; the folder's name says how it was drawn."""
    return f"{shown(drawn)}-demo" + (f"-seed-{drawn.seed}" if drawn.seed else "")


def folder_of(given: Settings, drawn: DemoSet) -> Path:
    """Where its images are kept; the digits have no name in it: the Data page draws them there too."""
    named = [] if drawn.name == DemoConfig.name else [shown(drawn)]
    return given.home / "demo-data" / "-".join([*named, f"seed-{drawn.seed}"])


def demo(given: Settings, port: int, drawn: DemoSet, *, stay: bool = True) -> int:
    """Everything in order; 0 when ended by Ctrl-C, else the dashboard's exit code."""
    check_port(port)
    folder = folder_of(given, drawn)
    say(f"{called(drawn)}: {drawn.about.partition(' (extra')[0]}. Answers are simulated from the true masks.")
    with progress_bar("Drawing the demo images") as progress:
        write_set(folder, drawn, progress)
    dashboard = Dashboard(given, port)
    try:
        dashboard.start()
        say(f"The dashboard is at [bold]{dashboard.url}[/]; the loop runs in it now.")
        if given.embedded:  # another Redis is there, or the first run says that it is not
            EmbeddedServices(given).wait_until_up(START_TIMEOUT_S)
        show_outcomes(run_loop(given, folder, drawn))
        if not stay:
            return 0
        say(f"All of it is at [bold]{dashboard.url}[/]. Ctrl-C ends the dashboard and its workers.")
        return dashboard.wait()
    except KeyboardInterrupt:
        tell("Ending the dashboard and its workers.")
        return 0
    finally:
        dashboard.stop()


def whole_loop(name: str, options: Mapping[str, Any], port: int, *, stay: bool) -> int:
    """``slim demo``: ``demo`` on the set of a name with parameters of its own; as one process tree.

    Raises:
        SlimError: something must be mended first.
    """
    with _ended_by_signals():
        return demo(settings(), port, demo_set(name, **options), stay=stay)
    return 0


def studio(port: int, *, only_workers: bool) -> int:
    """``slim studio``: the dashboard, its workers and its Redis until Ctrl-C; or the workers alone.

    Raises:
        SlimError: something must be mended first.
    """
    if only_workers:
        from workers.__main__ import main as work

        return work([])
    check_port(port)
    dashboard = Dashboard(settings(), port)
    with _ended_by_signals():
        try:
            dashboard.start()
            say(f"The dashboard is at [bold]{dashboard.url}[/]. Ctrl-C ends it and its workers.")
            _open(dashboard.url)
            return dashboard.wait()
        finally:
            dashboard.stop()
    return 0


def _open(url: str) -> None:
    """In the browser, where there is one with a window: a text browser would take the terminal."""
    with suppress(webbrowser.Error):
        browser = webbrowser.get()
        if type(browser) is not webbrowser.GenericBrowser:
            browser.open(url)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Each signal that ends a program is a Ctrl-C, also while images are drawn, and ends it quietly."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, interrupt)
    with suppress(KeyboardInterrupt):
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``python -m workers.demo``; 2 where something must be mended first."""
    parser = argparse.ArgumentParser(prog="python -m workers.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8501, help="of the dashboard")
    parser.add_argument("--set", default=DemoConfig.name, choices=DRAWN, help="what is drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the data and of everything random")
    parser.add_argument("--no-stay", action="store_true", help="end once the loop is done")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    try:
        return whole_loop(given.set, {"seed": given.seed}, given.port, stay=not given.no_stay)
    except SlimError as error:
        refuse(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
