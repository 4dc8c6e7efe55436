"""Which process of pytest-xdist does which tests, and in which order: whole files, those first that mostly wait.

Used with ``--dist loadfile``. What a module or a session shares is built by the process that needs it and by no other,
so no file is cut, and where two processes share the tests, all with a browser go to one: they share one Chromium, one
dashboard and one home. While that process and the tests with workers wait, the other one computes; whoever is done
takes the next file, and the files that are left then are short. The tests that go through all sources go to one
process, which parses them once. What takes seconds to build is asked for at the start, each by a process of its own:
later, one would wait for what the other builds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

BROWSER = "tests/browser/"
SOURCES = ("test_imports.py", "test_references.py", "test_result_files.py", "test_rooms.py", "test_shape.py")
WAIT = ("redis", "slow")  # markers; browser is a kind of its own
BUILT = ("looped", "loop_home")  # fixtures


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares | None:
    """Of ``--dist loadfile``; None: the one that xdist has itself. Of who imports it as a conftest or a plugin."""
    return Shares(config, log) if config.getvalue("dist") == "loadfile" else None


class Shares(LoadScopeScheduling):
    """Gives out what ``share`` says belongs together, in the order of ``in_order``."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order is ours

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid, self.numnodes)

    def remove_node(self, node: WorkerController) -> str | None:
        """The test with which the process of a node has ended, if any: it has failed, and no other process begins it.

        xdist hands it on with the rest of its file, and each process that takes it ends in turn.
        """
        units = self.assigned_work[node].values()
        ended = next(((unit, test) for unit in units for test, is_done in unit.items() if not is_done), None)
        if ended is None:
            return super().remove_node(node)
        unit, test = ended
        unit[test] = True
        super().remove_node(node)
        return test


def share(test: str, n_processes: int) -> str:
    """What is done by one process: a file, all that goes through the sources, or all that needs a browser."""
    file = test.partition("::")[0]
    if file.endswith(SOURCES):
        return "sources"
    return BROWSER if n_processes == 2 and file.startswith(BROWSER) else file


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items, file by file: those with a browser, those in which some test waits, and others, the longest first.

    Before these others comes, for each of BUILT, the shortest one that asks for it.
    """
    files = sorted((list(group) for _, group in groupby(items, lambda item: item.path)), key=_place)
    others = [file for file in files if _place(file)[0] == 2]
    first: list[list[pytest.Item]] = []
    for name in BUILT:
        asking = [file for file in others if file not in first and any(name in item.fixturenames for item in file)]
        first += asking[-1:]
    n = len(files) - len(others)
    return [item for file in (*files[:n], *first, *(one for one in others if one not in first)) for item in file]


def _place(items: list[pytest.Item]) -> tuple[int, int]:
    """Files of one place stay in their order."""
    if any(item.get_closest_marker("browser") for item in items):
        return 0, 0
    if any(item.get_closest_marker(name) for item in items for name in WAIT):
        return 1, 0
    return 2, -len(items)
