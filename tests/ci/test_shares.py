"""Which tests a process of a run is given together, and in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shares import in_order, share


@dataclass(frozen=True)
class Item:
    """As much of a test as is asked for."""

    path: Path
    marker: str = ""
    number: int = 0
    fixturenames: tuple[str, ...] = ()

    def get_closest_marker(self, name: str) -> bool:
        return name == self.marker


def file(name: str, *markers: str) -> list[Item]:
    return [Item(Path(f"tests/{name}.py"), marker, number) for number, marker in enumerate(markers)]


COMPUTES, LONGER = file("a", ""), file("b", "", "", "")
WITH_REDIS, PARTLY_SLOW = file("c", "redis", "redis"), file("d", "", "slow")
IN_BROWSER = file("e", "browser", "browser")


@pytest.mark.parametrize("seed", range(5))
def test_files_stay_whole_and_those_that_wait_come_first(seed: int) -> None:
    files = [COMPUTES, LONGER, WITH_REDIS, PARTLY_SLOW, IN_BROWSER]
    random.Random(seed).shuffle(files)
    waiting = [each for each in files if each in (WITH_REDIS, PARTLY_SLOW)]  # as they were among themselves
    assert in_order(sum(files, [])) == sum([IN_BROWSER, *waiting, LONGER, COMPUTES], [])


def test_what_takes_seconds_to_build_is_asked_for_first_each_by_a_short_file_of_its_own() -> None:
    looped, both, loop = (
        [Item(Path(f"tests/{name}.py"), number=number, fixturenames=names) for number in range(n)]
        for name, n, names in (("f", 3, ("looped",)), ("g", 2, ("looped", "loop_home")), ("h", 4, ("loop_home",)))
    )
    assert in_order([*LONGER, *loop, *COMPUTES, *looped, *both, *PARTLY_SLOW]) == [
        *PARTLY_SLOW,
        *(*both, *loop),
        *(*LONGER, *looped, *COMPUTES),
    ]


def test_what_goes_through_all_sources_is_done_by_one_process() -> None:
    one, other = "tests/app/test_rooms.py::test_a", "tests/slim_core/test_references.py::test_b"
    assert share(one, 2) == share(other, 2) == share(one, 8) != share("tests/app/test_server.py::test_c", 2)


def test_one_of_two_processes_does_all_that_needs_a_browser_and_of_more_none() -> None:
    one, other = "tests/browser/test_draw.py::test_a[x::y]", "tests/browser/test_jobs.py::test_b"
    assert share(one, 2) == share(other, 2) != share("tests/app/test_server.py::test_c", 2)
    assert share(one, 8) == "tests/browser/test_draw.py" != share(other, 8)
    assert share("tests/app/test_server.py::test_c", 2) == share("tests/app/test_server.py::test_d", 2)


@pytest.mark.parametrize(("folder", "marker"), [("browser", "browser"), ("served", "redis")])
def test_the_quick_half_leaves_out_every_file_of(folder: str, marker: str) -> None:
    unmarked = [
        path.name
        for path in (Path(__file__).parents[1] / folder).glob("test_*.py")
        if f"pytest.mark.{marker}" not in path.read_text().partition("pytestmark = ")[2].partition("\n\n")[0]
    ]
    assert not unmarked
