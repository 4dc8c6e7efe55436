"""Runs commands of ``slim``, each in a process of its own, forked from one that has imported the command line already.

`python -m benchmarks.hostile.zygote` reads one request a line, {"words", "cwd", "environment", "stdin", "said"}, of
which the last two are paths; it answers with the id of the process, and with its exit code once it has ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import torch  # noqa: F401  # as all that follows: what commands import, which is most of what they take

import slim_core.data.importing
import slim_core.evaluation.comparison
import slim_core.export.registry
import slim_core.models.checkpoints
import slim_core.runs.executor
import slim_core.steps.registry
import slim_core.store  # noqa: F401
from slim_core.cli import main as slim


def main() -> None:
    """Until there are no more requests."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_run(json.loads(line)))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: dict[str, Any]) -> int:
    """The exit code of a command."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.dup2(os.open(request["stdin"], os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(os.open(request["said"], os.O_WRONLY | os.O_APPEND), stream)
    sys.stdin = open(0, closefd=False)  # the old one has read on, in the requests
    try:
        slim(request["words"])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    main()
