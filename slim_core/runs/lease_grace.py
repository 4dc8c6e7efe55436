"""Whether this machine or the database has just come back: who computes may have an expired lease, and is not lost."""

from __future__ import annotations

import time

SLEPT_S = 5.0  # between two looks, which are a second apart at most


class LeaseGrace:
    """Looked at again and again by whoever takes runs from processes that do not renew their leases.

    Look when the database has answered a moment ago: so an outage is as long a pause between two looks as a sleep.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._looked_at = time.time()  # by the clock that goes on while a machine sleeps
        self._woke_at: float | None = None  # monotonic seconds
        self._was_long = False  # the pause before the last look

    def is_active(self) -> bool:
        """Whether this process was suspended, as with its machine, or waited for the database, and others may not have
        renewed yet.

        They have the length of a lease for it. Then it is over, though looks may always be so far apart here.
        """
        slept_s, self._looked_at = time.time() - self._looked_at, time.time()
        is_long = slept_s > min(SLEPT_S, self._lease_s / 2)  # it is renewed three times a lease
        is_another = slept_s > self._lease_s / 2 and not self._was_long  # outage, soon after the last: leases end by it
        self._was_long = is_long
        if is_another or (is_long and self._woke_at is None):
            self._woke_at = time.monotonic()
        if self._woke_at is None or time.monotonic() - self._woke_at >= self._lease_s:
            self._woke_at = None
        return self._woke_at is not None

    def begin(self) -> None:
        """Nobody could renew until now, as is known: the database was away, or its disk full."""
        self._woke_at = time.monotonic()
