"""The process of the next job, made before there is one: nobody should wait for the second that importing torch takes.

A worker whose steps need torch keeps one such process. It imports after the fork, so that the worker itself stays free
of torch and of its threads, and it opens no model, device or run before it is handed a job. It does that one job, and
ends; it also ends with its worker.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from workers.imports import import_torch_half

log = logging.getLogger(__name__)

_LONGEST_LINE = 4096  # bytes that a pipe takes and gives in one piece


class Handed(NamedTuple):
    """What RQ knows a job by."""

    job: str
    queue: str
    execution: str


class Spare:
    """A forked process that gets ready, then waits for its job."""

    def __init__(self, begin: Callable[[], None], perform: Callable[[Handed], None], *, calm_s: float = 0.0) -> None:
        """Fork it.

        Args:
            begin: called in the new process first.
            perform: called there with the job.
            calm_s: how long it leaves the machine to others, unless its job comes, before it gets ready.
        """
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._pipe)
            _live(reader, begin, perform, calm_s)
        os.close(reader)

    def take(self, job: Handed) -> bool:
        """Hand it the one job, ready or not. False: it has died."""
        try:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return False
            os.write(self._pipe, json.dumps(job).encode())
        except BrokenPipeError:  # it died just now
            os.waitpid(self.pid, 0)
            return False
        finally:
            os.close(self._pipe)
        return True

    def end(self) -> None:
        """End it without a job."""
        os.close(self._pipe)
        os.kill(self.pid, signal.SIGKILL)  # a child that nobody has waited for: its number is its own
        os.waitpid(self.pid, 0)


def _live(reader: int, begin: Callable[[], None], perform: Callable[[Handed], None], calm_s: float) -> NoReturn:
    """All that the process does. It leaves without the cleaning up that is its parent's."""
    code = 1
    try:
        begin()
        select.select([reader], [], [], calm_s)
        import_torch_half(lambda: bool(select.select([reader], [], [], 0)[0]))
        line = os.read(reader, _LONGEST_LINE)
        if line:  # else the worker has gone
            perform(Handed(*json.loads(line)))
        code = 0
    except Exception:  # the border of the process; the run, if one was claimed, is settled by the worker
        log.exception("The process of a job ended early")
    finally:
        os._exit(code)
