"""``python -m workers`` that knows the drills, in every process it starts.

    python drill_workers.py [--every-step] OPTIONS OF THE SERVICE

Drills need nothing of what the other steps import, so a worker saves that second, unless it is to do every step.
"""

from __future__ import annotations

import sys

import drills

from workers import __main__ as service
from workers import slot

drills.register()

EVERY_STEP = "--every-step"


def main(arguments: list[str]) -> int:
    """The service, or with "slot" as the first word one of its workers."""
    options = [word for word in arguments if word != EVERY_STEP]
    if options[:1] == ["slot"]:
        if EVERY_STEP not in arguments:
            slot.import_light_half = lambda _queues: None
        return slot.main(options[1:])
    kept = [EVERY_STEP] if EVERY_STEP in arguments else []
    return service.main(options, slot_command=[sys.executable, __file__, "slot", *kept])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
