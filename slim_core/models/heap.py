"""Freed memory stays with the process that computes on a CPU.

The C library gives each large block back to the system when it is freed, and the next one comes page by page, zeroed by
the kernel. A network frees and takes some hundred megabytes for every batch: half of the time of a forward pass went
into that.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

KEPT = 512 * 2**20  # bytes: blocks up to this size come from the heap, and as much stays at its end
MOST_OF_OLD = 32 * 2**20  # what the C library took before it left the limit to us (glibc 2.35)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Tell the C library so, once in this process; returns whether it took it (glibc alone does)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library
    taken = mallopt(_MMAP_THRESHOLD, KEPT) or mallopt(_MMAP_THRESHOLD, MOST_OF_OLD)
    return bool(taken and mallopt(_TRIM_THRESHOLD, KEPT))
