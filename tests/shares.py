"""Which tests each process of pytest-xdist begins with: the long ones that mostly wait, then the rest.

``--dist worksteal`` cuts the list of tests into one piece a process, all of one length, and lets who is done take from
the end of another's piece. So the tests with a browser stand at the head of the first piece, where they share one
Chromium and one dashboard, and those with workers at the heads of the others, file by file. While these wait, the other
processes compute, and no long test is begun last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import TypeVar

import pytest

T = TypeVar("T")
WAIT = ("redis", "slow")  # markers; browser is a kind of its own


def in_shares(items: Sequence[pytest.Item], n: int) -> list[pytest.Item]:
    """The items in the order in which n processes are to begin with them."""
    browser = [item for item in items if item.get_closest_marker("browser")]
    waiting = [item for item in items if item not in browser and any(map(item.get_closest_marker, WAIT))]
    rest = [item for item in items if item not in browser and item not in waiting]
    files = [list(group) for _, group in groupby(waiting, lambda item: item.path)]
    return headed([browser, *dealt(files, n - 1)], rest)


def dealt(groups: Iterable[list[T]], n: int) -> list[list[T]]:
    """n lists; each group joins the one that is shortest by then."""
    lists: list[list[T]] = [[] for _ in range(n)]
    for group in groups:
        min(lists, key=len).extend(group)
    return lists


def headed(heads: Sequence[Sequence[T]], rest: Iterable[T]) -> list[T]:
    """All of them in one list, each of whose equal pieces begins with its head."""
    left = list(rest)
    total, order, rest = sum(map(len, heads)) + len(left), [], iter(left)
    for n_left, head in zip(range(len(heads), 0, -1), heads, strict=True):
        end = len(order) + (total - len(order)) // n_left  # as WorkStealingScheduling.check_schedule cuts
        order += head
        order += islice(rest, max(0, end - len(order)))
    return order
