"""Where a run comes from and what was made from it: a graph of runs, followed a level at a time to a given depth.

Pure: how relations are read is the caller's business (slim_core.store.history.History has both readers).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

ANCESTORS, DESCENDANTS = 8, 4  # levels: the whole way up a loop, and down to the comparison
MOST_CHILDREN = 8  # of one run, before the rest is only counted
MOST_RUNS = 80  # of a graph that can still be read


@dataclass(frozen=True)
class Link:
    """One run reads another."""

    parent: str
    child: str
    role: str  # what it is to the child: "model", "attention", "space", "subset", "reference"


Reader = Callable[[Collection[str]], Sequence[Link]]  # ids of runs -> their links to parents, or to children


@dataclass(frozen=True)
class Lineage:
    """The runs around one run. ``hidden``: run -> how many more runs read it that are not in the graph."""

    run: str
    links: tuple[Link, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)
    cut: bool = False  # the way up goes on beyond what is shown

    @property
    def runs(self) -> tuple[str, ...]:
        """Every run of the graph once; the one asked about comes first."""
        ends = [end for link in self.links for end in (link.parent, link.child)]
        return tuple(dict.fromkeys([self.run, *ends]))


def trace(
    run: str, parents: Reader, children: Reader, *, ancestors: int = ANCESTORS, descendants: int = DESCENDANTS
) -> Lineage:
    """The ancestors and the descendants of a run, nearest first.

    Siblings are left out: a reference model may have a hundred retrained models, of which one leads to this run.

    Args:
        run: where to begin.
        parents: reads the links from some runs to their parents.
        children: reads the links from some runs to their children.
        ancestors: levels to follow upwards.
        descendants: levels to follow downwards.
    """
    upward, cut = _upward(run, parents, ancestors)
    downward, hidden = _downward(run, children, descendants, MOST_RUNS - len(upward))
    return Lineage(run, tuple(dict.fromkeys([*upward, *downward])), hidden, cut)


def _upward(run: str, parents: Reader, levels: int) -> tuple[list[Link], bool]:
    links: list[Link] = []
    seen, level = {run}, [run]
    for _ in range(levels):
        found = list(parents(level)) if level else []
        links += found
        level = [one for one in dict.fromkeys(link.parent for link in found) if one not in seen]
        seen |= set(level)
    return links, bool(level and parents(level))


def _downward(run: str, children: Reader, levels: int, room: int) -> tuple[list[Link], dict[str, int]]:
    links: list[Link] = []
    beyond: dict[str, set[str]] = {}
    seen, level = {run}, [run]
    for depth in range(levels + 1):  # the last look only counts what lies beyond
        found = list(children(level)) if level else []
        level = _admitted(found, seen, room, MOST_CHILDREN if depth < levels else 0)
        for link in found:
            if link.child in seen:
                links.append(link)
            else:
                beyond.setdefault(link.parent, set()).add(link.child)
    return links, {parent: len(left_out) for parent, left_out in beyond.items()}


def _admitted(found: Sequence[Link], seen: set[str], room: int, most: int) -> list[str]:
    """The new children that fit, ``most`` of each parent; they are added to ``seen``."""
    new: list[str] = []
    taken: dict[str, int] = {}
    for link in found:
        fits = taken.get(link.parent, 0) < most and len(seen) < max(room, 2)
        if link.child not in seen and fits:
            seen.add(link.child)
            new.append(link.child)
            taken[link.parent] = taken.get(link.parent, 0) + 1
    return new
