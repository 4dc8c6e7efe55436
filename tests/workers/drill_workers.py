"""``python -m workers`` that knows the drills, in every process it starts."""

from __future__ import annotations

import sys

import drills

from workers import __main__ as service
from workers import slot

drills.register()

if __name__ == "__main__":
    if sys.argv[1:2] == ["slot"]:
        sys.exit(slot.main(sys.argv[2:]))
    else:
        sys.exit(service.main(sys.argv[1:], slot_command=[sys.executable, __file__, "slot"]))
