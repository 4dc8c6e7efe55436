"""Which process of pytest-xdist does which tests, and in which order: whole files, those first that mostly wait.

Used with ``--dist loadfile``. What a module or a session shares is built by the process that needs it and by no other,
so no file is cut, and where two processes share the tests, all with a browser go to one: they share one Chromium, one
dashboard and one home. While that process and the tests with workers wait, the other one computes; whoever is done
takes the next file, and the files that are left then are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

BROWSER = "tests/browser/"
WAIT = ("redis", "slow")  # markers; browser is a kind of its own


class Shares(LoadScopeScheduling):
    """Gives out what ``share`` says belongs together, in the order of ``in_order``."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order is ours

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid, self.numnodes)


def share(test: str, n_processes: int) -> str:
    """What is done by one process: a file, or all that needs a browser."""
    file = test.partition("::")[0]
    return BROWSER if n_processes == 2 and file.startswith(BROWSER) else file


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items, file by file: those with a browser, those in which some test waits, and others, the longest first."""
    files = [(path, list(group)) for path, group in groupby(items, lambda item: item.path)]
    return [item for _, group in sorted(files, key=_place) for item in group]


def _place(file: tuple[Path, list[pytest.Item]]) -> tuple[int, int]:
    """Files of one place stay in their order."""
    _, items = file
    if any(item.get_closest_marker("browser") for item in items):
        return 0, 0
    if any(item.get_closest_marker(name) for item in items for name in WAIT):
        return 1, 0
    return 2, -len(items)
