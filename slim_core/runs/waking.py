"""Whether this machine has just woken: who computes may then have an expired lease, and has not been lost."""

from __future__ import annotations

import time

SLEPT_S = 5.0  # between two looks, which are a second apart at most


class Waking:
    """Looked at again and again by whoever takes runs from processes that do not renew their leases."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._looked_at = time.time()  # by the clock that goes on while a machine sleeps
        self._woke_at: float | None = None  # monotonic seconds

    def is_under_way(self) -> bool:
        """Whether this process was suspended, as with its machine, and others may not have renewed yet.

        They have the length of a lease for it. Then it is over, though looks may always be so far apart here.
        """
        slept_s, self._looked_at = time.time() - self._looked_at, time.time()
        if self._woke_at is None:
            self._woke_at = time.monotonic() if slept_s > SLEPT_S else None
            return self._woke_at is not None
        if time.monotonic() - self._woke_at < self._lease_s:
            return True
        self._woke_at = None
        return False
