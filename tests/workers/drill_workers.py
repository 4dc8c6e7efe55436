"""``python -m workers`` that knows the drills: tests/workers/drill_service.py, imported without looking for garbage.

Called as python -m workers is:

    python drill_workers.py [--every-step] [--with-torch] [--placed-quickly] OPTIONS OF THE SERVICE
    python drill_workers.py slot [--every-step] [--with-torch] [--placed-quickly] OPTIONS OF A WORKER
"""

from __future__ import annotations

import gc
import sys


def run(arguments: list[str]) -> int:
    """The service, or one worker of it."""
    gc.disable()  # what is imported is no garbage: looking for some is a fifth of the time that importing takes
    from drill_service import main

    gc.freeze()
    gc.enable()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
