"""Attention spaces computed in a process of their own, which a stop ends at once, whatever UMAP is doing.

UMAP cannot be interrupted while it searches for neighbours or compiles, which takes minutes on many images. So the
parent only looks on: five times a second it asks whether to stop, and then kills. Arrays go through files, words
through JSON lines on the child's standard output; nothing is pickled. The child dies with its parent (Linux), inherits
its priority and thread settings, and gives the same points as ``slim_core.space.embedding.embed`` in the parent would.

Run as a program it is the child: ``python -m slim_core.space.embedding_process FOLDER PARENT_PID``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import psutil

from slim_core.errors import SlimError, SpecRefusedError
from slim_core.space.embedding import SpaceConfig, embed

log = logging.getLogger(__name__)

POLL_S = 0.2
_ROOT = Path(__file__).resolve().parents[2]  # what the child imports this package from
_PR_SET_PDEATHSIG = 1
_REQUEST, _POSITIONS, _ERRORS = "request.json", "positions.npy", "stderr.txt"


class EmbeddingFailedError(SlimError):
    """The process that computes a space ended without one."""


@dataclass
class Heard:
    """What the child has told so far."""

    name: str = ""  # the space it is at
    epoch: int = 0  # of UMAP; 0: still searching for neighbours
    epochs: int = 0
    cpu_s: float = 0.0  # it has computed for so long; stands still where it hangs
    error: dict[str, Any] = field(default_factory=dict)  # what ended it


def embed_apart(
    sources: Mapping[str, Path],
    positions: np.ndarray,
    config: SpaceConfig,
    folder: Path,
    *,
    on_progress: Callable[[Heard], None],
    check_stop: Callable[[], None],
) -> dict[str, np.ndarray]:
    """Embed the rows ``positions`` (n,) of each stored array (N, K), one after another, in a process of their own.

    Args:
        sources: name -> .npy file.
        positions: which rows, in the order of the points.
        config: see SpaceConfig.
        folder: an existing folder for what passes between the two processes.
        on_progress: called five times a second.
        check_stop: likewise; what it raises ends the process at once.

    Returns:
        name -> points (n, 2) float32, those of ``embed(array[positions].astype(float32), config)``.

    Raises:
        SpecRefusedError: the features are not (N, K), or hold NaN or infinity.
        EmbeddingFailedError: the process was killed, or failed in another way.
        MemoryError, OSError: as the child met them.
    """
    np.save(folder / _POSITIONS, positions)
    request = {"sources": {name: str(path.resolve()) for name, path in sources.items()}, "config": asdict(config)}
    (folder / _REQUEST).write_text(json.dumps(request))
    heard = Heard()
    with _child(folder, heard) as process:
        _look_on(process, heard, on_progress, check_stop)
    if process.returncode != 0:
        raise _failure(process.returncode, heard, folder)
    return {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in sources}


@contextlib.contextmanager
def _child(folder: Path, heard: Heard) -> Iterator[subprocess.Popen[str]]:
    """The process, killed at the latest when the block is left, and all it had said heard."""
    command = [sys.executable, "-m", __name__, str(folder.resolve()), str(os.getpid())]
    with (folder / _ERRORS).open("w") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, heard), name="embedding", daemon=True)
    listener.start()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        listener.join()
        process.stdout.close()


def _look_on(
    process: subprocess.Popen[str], heard: Heard, on_progress: Callable[[Heard], None], check_stop: Callable[[], None]
) -> None:
    at_work = psutil.Process(process.pid)
    while True:
        try:
            process.wait(POLL_S)
            return
        except subprocess.TimeoutExpired:
            check_stop()
        with contextlib.suppress(psutil.Error):  # it has just ended
            spent = at_work.cpu_times()
            heard.cpu_s = spent.user + spent.system
        on_progress(heard)


def _listen(lines: TextIO, heard: Heard) -> None:
    """Take in the child's lines: log records, epochs, and the error that ended it."""
    for line in lines:
        if not line.startswith("{"):  # a library's own words
            log.info("%s", line.rstrip())
            continue
        told = json.loads(line)
        if "log" in told:
            logging.getLogger(told["logger"]).log(told["level"], "%s", told["log"])
        elif "error" in told:
            heard.error = told
        else:
            heard.name, heard.epoch, heard.epochs = told["name"], told["epoch"], told["epochs"]


def _failure(returncode: int, heard: Heard, folder: Path) -> Exception:
    """What the parent raises for a child that failed."""
    said = (folder / _ERRORS).read_text(errors="replace").strip()
    if said:
        log.error("%s", said)
    kind, message = heard.error.get("error"), str(heard.error.get("message", ""))
    if kind == SpecRefusedError.__name__:
        return SpecRefusedError(message)
    if kind == MemoryError.__name__:
        return MemoryError(message)
    if heard.error.get("errno") is not None:
        return OSError(heard.error["errno"], message)
    if kind is not None:
        return EmbeddingFailedError(f"UMAP failed with {kind}: {message} (see the log).")
    if returncode == -signal.SIGKILL:
        return EmbeddingFailedError(
            "The process of UMAP was killed, most likely for want of memory: use a machine with more, or a smaller "
            "pca_above, then retry."
        )
    ended = f"by {signal.Signals(-returncode).name}" if returncode < 0 else f"with exit code {returncode}"
    return EmbeddingFailedError(f"The process of UMAP was ended {ended}: see the log, then retry.")


# --- the child -------------------------------------------------------------------------------------------------------


class _Teller(logging.Handler):
    """Writes log records, and whatever else there is to tell, as JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record to the parent."""
        self.tell(log=record.getMessage(), level=record.levelno, logger=record.name)

    def tell_epoch(self, name: str, done: int, total: int) -> None:
        """How far the space of this name is."""
        self.tell(name=name, epoch=done, epochs=total)

    def tell(self, **values: Any) -> None:
        """One line."""
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


def _bind_to(parent_pid: int) -> None:
    """End when the parent ends, also when it is killed; Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent_pid:  # it ended before we could ask
            os._exit(1)


def _embed_all(folder: Path, teller: _Teller) -> None:
    request = json.loads((folder / _REQUEST).read_text())
    positions = np.load(folder / _POSITIONS, allow_pickle=False)
    config = SpaceConfig(**request["config"])
    for name, path in request["sources"].items():
        teller.tell_epoch(name, 0, 0)
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        features = np.asarray(stored[positions], dtype=np.float32)
        points = embed(features, config, on_epoch=partial(teller.tell_epoch, name))
        np.save(folder / f"{name}.npy", points.astype(np.float32))


def main() -> int:
    """Embed what the folder asks for; 1 where that fails, with the reason as the last line."""
    folder, parent_pid = Path(sys.argv[1]), int(sys.argv[2])
    _bind_to(parent_pid)
    teller = _Teller()
    logging.basicConfig(level=logging.INFO, handlers=[teller])
    logging.captureWarnings(True)
    try:
        _embed_all(folder, teller)
    except Exception as error:  # the border of the process: the parent raises what it is told
        log.info("the space failed", exc_info=error)
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        teller.tell(error=type(error).__name__, message=told, errno=getattr(error, "errno", None))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
