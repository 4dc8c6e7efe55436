"""Where runs come from and what was made from them: the links between runs, and the one walk along them.

A link is read from the database (a level of the walk at a time: one query, however many runs it has), or taken from the
specs of runs that were read already (``RunGraph``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, repeat
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core import result_files
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, in_chunks
from slim_core.store.runs.rows import COLUMNS, PASSES, WHOLE, WITH_MAPS, WITHOUT_METRICS, Run, fetch_run
from slim_core.store.shape_rows import newest_seq

ANCESTORS, DESCENDANTS = 8, 4  # levels: the whole way up a loop, and down to the comparison
MOST_CHILDREN = 8  # of one run, before the rest is only counted
MOST_RUNS = 80  # of a graph that can still be read
_UPWARDS = ("model", "attention", "space")  # roles that lead to a model, the nearest first
_STARTS = ("subset", "reference")  # those that lead from a model to what it was trained on, or from
_t, _parents = schema.runs, schema.run_parents


@dataclass(frozen=True)
class Link:
    """One run reads another."""

    parent: str
    child: str
    role: str  # what it is to the child: "model", "attention", "space", "subset", "reference", "shard-000"


Reader = Callable[[Collection[str]], Sequence[Link]]  # ids of runs -> their links to parents, or to children
_End = Callable[[Link], str]
_PARENT: _End = attrgetter("parent")
_CHILD: _End = attrgetter("child")


@dataclass(frozen=True)
class LineageGraph:
    """The runs around one run. ``hidden``: run -> how many more runs read it that are not in the graph."""

    run: str
    links: tuple[Link, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)
    cut: bool = False  # there are more ancestors than are shown

    @property
    def runs(self) -> tuple[str, ...]:
        """Every run of the graph once; the one it was drawn for comes first."""
        ends = [end for link in self.links for end in (link.parent, link.child)]
        return tuple(dict.fromkeys([self.run, *ends]))


class Lineage:
    """Reads what runs were made from and what was made from them; writes nothing."""

    def __init__(self, database: Database, artifacts: Artifacts) -> None:
        self._database, self._artifacts = database, artifacts

    def parents(self, ids: Collection[str]) -> list[Link]:
        """What these runs read, deleted runs included; a run's own shards are left out."""
        with self._database.read() as connection:
            return _parents_of(connection, ids, WHOLE)

    def children(self, ids: Collection[str]) -> list[Link]:
        """What reads these runs, oldest first; deleted runs and shards are left out."""
        with self._database.read() as connection:
            return _children_of(connection, ids, WHOLE)

    def ancestors(self, ids: Iterable[str]) -> list[str]:
        """Ids of all runs these were made from, directly or not, deleted ones and shards included; nearest first."""
        with self._database.read() as connection:
            return ancestors_of(connection, ids)

    def descendants(self, ids: Iterable[str]) -> list[str]:
        """Ids of all runs made from these, directly or not, that were not deleted; nearest first."""
        with self._database.read() as connection:
            return descendants_of(connection, ids)

    def trace(self, run_id: str) -> LineageGraph:
        """The graph around a run, as a page shows it."""
        return trace(run_id, self.parents, self.children)

    def reference_of(self, run: Run) -> Run:
        """The model whose attention led to a subset, a space or a pass: curate -> space -> attention -> model.

        Raises:
            SpecRefusedError: it, or a run on the way to it, was deleted.
        """
        try:
            return self.origin(run, lambda one: None if one.kind == "train" else one.nearest(_UPWARDS))
        except NotFoundError as error:
            raise SpecRefusedError(f"A run behind {run.id} was deleted: curate again from another space.") from error

    def first_reference(self, model: Run) -> Run:
        """The model whose attention led to the subset that this one was trained on, or that it started from; or itself.

        Where that was retrained from another, the first of them: a second round is counted in the groups of the first.

        Raises:
            NotFoundError: a run on the way to it was deleted.
        """
        return self.origin(model, lambda one: one.nearest(_STARTS if one.kind == "train" else _UPWARDS))

    def origin(self, run: Run, above: Callable[[Run], str | None]) -> Run:
        """Where a way upwards ends.

        Args:
            run: where it begins.
            above: the id of the run that one rests on; None where the way ends.

        Raises:
            NotFoundError: a run on the way was deleted.
        """
        with self._database.read() as connection:
            while (parent := above(run)) is not None:
                run = fetch_run(connection, parent)
        return run

    def attention_of(self, space: Run) -> Run:
        """The gradcam run a space was made from, as it was scored last.

        Raises:
            NotFoundError: the run the space was made from was deleted.
        """
        with self._database.read() as connection:
            attention = fetch_run(connection, space.spec["attention"])
        return self.scored_last(attention)

    def finished_passes(self, dataset: str, spec: Mapping[str, Any]) -> list[Run]:
        """Finished gradcam runs of a data set whose specs have these values, newest first."""
        return self.finished_like("gradcam", dataset, spec)

    def scored_last(self, attention: Run) -> Run:
        """The finished pass that differs from this one by its drawn shapes alone and knows the newest ones."""
        with self._database.read() as connection:
            if not newest_seq(connection, attention.dataset_id):
                return attention
        same = {key: value for key, value in attention.spec.items() if key != "shapes_seq"}
        others = self.finished_like("gradcam", attention.dataset_id, same)
        return max([attention, *others], key=lambda run: run.spec.get("shapes_seq") or 0)

    def finished_like(self, kind: str, dataset: str, spec: Mapping[str, Any]) -> list[Run]:
        """Finished runs of a kind and data set whose specs have these values, newest first."""
        found = self._finished(kind, dataset, COLUMNS)
        return [run for run in found if all(run.spec.get(key) == value for key, value in spec.items())]

    def maps_of(self, evaluation: Run, runs: Iterable[Run]) -> str | None:
        """The run that kept the maps of an evaluation: itself, or a finished gradcam run of its model in ``runs``."""
        model, split = evaluation.spec["model"], evaluation.spec["split"]
        passes = [run for run in runs if run.kind == "gradcam" and run.status == "done" and run.spec["model"] == model]
        able = [evaluation.id, *(run.id for run in passes if split in run.spec["splits"])]
        return next((run_id for run_id in able if self._artifacts.has(run_id, result_files.MAPS)), None)

    def runs_with_maps(self, dataset: str) -> list[Run]:
        """Finished runs of a data set that kept attention maps, newest first."""
        found = [run for kind in WITH_MAPS for run in self._finished(kind, dataset, WITHOUT_METRICS)]
        kept = [run for run in found if self._artifacts.has(run.id, result_files.MAPS)]
        return sorted(kept, key=lambda run: run.created_at, reverse=True)

    def _finished(self, kind: str, dataset: str, columns: Sequence[sa.Column[Any]]) -> list[Run]:
        query = sa.select(*columns).where(_t.c.kind == kind, _t.c.dataset_id == dataset, _t.c.status == "done")
        query = query.where(_t.c.deleted_at.is_(None), WHOLE).order_by(_t.c.created_at.desc(), _t.c.id)
        with self._database.read() as connection:
            return [Run(**row) for row in connection.execute(query).mappings()]


class RunGraph:
    """Runs that were read together, so that walks among them ask the database nothing.

    A parent is any value of a spec that is the id of one of the runs: what ``Spec.parents`` names, without building the
    spec.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = {run.id: run for run in runs}
        self._links: dict[str, list[Link]] = {}  # child -> its links to parents, once a walk has needed them
        self._shards: dict[str, list[Run]] = {}
        for run in self.runs.values():
            if run.shard_of:
                self._shards.setdefault(run.shard_of, []).append(run)

    def lineage(self, run: Run, *, stop: Callable[[Run], bool] = lambda _run: False) -> list[Run]:
        """The run and all it was made from, each once, nearest first; shards of a run after its parents.

        Args:
            run: where to begin.
            stop: whether the walk ends at a run: its parents are reached only by other ways.
        """

        def parents(ids: Collection[str]) -> list[Link]:
            return [link for one in map(known, ids) if not stop(one) for link in self._links_of(one)]

        def known(run_id: str) -> Run:
            return run if run_id == run.id else self.runs[run_id]

        return [run, *map(known, _reached([run.id], parents, _PARENT))]

    def spaces_of(self, run: Run, split: str) -> list[Run]:
        """Finished spaces of a split made from the attention of a run (``attentions_of``), oldest first."""
        attentions = {one.id for one in self.attentions_of(run)}
        spaces = (one for one in self._oldest_first() if one.kind == "space" and one.spec["split"] == split)
        return [one for one in spaces if one.spec["attention"] in attentions and _is_finished(one)]

    def attentions_of(self, run: Run) -> list[Run]:
        """Finished gradcam runs: of a run's lineage, nearest first, then of its models, oldest first."""
        lineage = self.lineage(run)
        models = {one.id for one in lineage if one.kind == "train"}
        found = [*lineage, *(one for one in self._oldest_first() if one.spec.get("model") in models)]
        fits = {one.id: one for one in found if one.kind in PASSES and _is_finished(one)}
        return list(fits.values())

    def _links_of(self, run: Run) -> list[Link]:
        if run.id not in self._links:
            links = [Link(value, run.id, role) for role, value in _texts(run.spec) if value in self.runs]
            shards = [Link(one.id, run.id, "shard") for one in self._shards.get(run.id, ())]
            self._links[run.id] = links + shards
        return self._links[run.id]

    def _oldest_first(self) -> list[Run]:
        return sorted(self.runs.values(), key=lambda one: (one.created_at, one.id))


def _texts(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, value) of each text in a spec, those in its dicts, such as the options of an objective, included."""
    for key, value in spec.items():
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield from _texts(value)


def _is_finished(run: Run) -> bool:
    return run.status == "done" and not run.shard_of


def ancestors_of(connection: Connection, ids: Iterable[str]) -> list[str]:
    """``Lineage.ancestors`` inside a transaction."""
    return _reached(ids, partial(_parents_of, connection), _PARENT)


def descendants_of(connection: Connection, ids: Iterable[str]) -> list[str]:
    """``Lineage.descendants`` inside a transaction."""
    return _reached(ids, partial(_children_of, connection), _CHILD)


def trace(
    run: str, parents: Reader, children: Reader, *, ancestors: int = ANCESTORS, descendants: int = DESCENDANTS
) -> LineageGraph:
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
    return LineageGraph(run, tuple(dict.fromkeys([*upward, *downward])), hidden, cut)


def _upward(run: str, parents: Reader, levels: int) -> tuple[list[Link], bool]:
    walk = _levels([run], parents, _unseen({run}, _PARENT))
    links = [link for found in islice(walk, levels) for link in found]
    return links, next(walk, None) is not None


def _downward(run: str, children: Reader, levels: int, room: int) -> tuple[list[Link], dict[str, int]]:
    links: list[Link] = []
    beyond: dict[str, set[str]] = {}
    seen = {run}
    most = chain(repeat(MOST_CHILDREN, levels), [0])  # the last level only counts what lies beyond
    for found in _levels([run], children, lambda found: _admitted(found, seen, room, next(most))):
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


def _reached(start: Iterable[str], read: Reader, end: _End) -> list[str]:
    """Every run the walk reaches, without those it starts from."""
    first = dict.fromkeys(start)
    found = [end(link) for links in _levels([*first], read, _unseen({*first}, end)) for link in links]
    return [each for each in dict.fromkeys(found) if each not in first]


def _levels(start: list[str], read: Reader, follow: Callable[[Sequence[Link]], list[str]]) -> Iterator[Sequence[Link]]:
    """The walk: the links of each level, from which ``follow`` chooses the runs of the next."""
    level = start
    while level and (found := read(level)):
        level = follow(found)
        yield found


def _unseen(seen: set[str], end: _End) -> Callable[[Sequence[Link]], list[str]]:
    """Follows every run once."""

    def follow(found: Sequence[Link]) -> list[str]:
        level = [each for each in dict.fromkeys(map(end, found)) if each not in seen]
        seen.update(level)
        return level

    return follow


def _parents_of(connection: Connection, ids: Collection[str], *which: sa.ColumnElement[bool]) -> list[Link]:
    return _read_links(connection, _parents.c.run_id, _parents.c.parent_id, ids, *which)


def _children_of(connection: Connection, ids: Collection[str], *which: sa.ColumnElement[bool]) -> list[Link]:
    return _read_links(connection, _parents.c.parent_id, _parents.c.run_id, ids, _t.c.deleted_at.is_(None), *which)


def _read_links(
    connection: Connection,
    given: sa.Column[str],
    other: sa.Column[str],
    ids: Collection[str],
    *which: sa.ColumnElement[bool],
) -> list[Link]:
    """Links of the given runs; ``which``: conditions on the run at the other end. The oldest of these come first."""
    query = sa.select(_parents.c.parent_id, _parents.c.run_id, _parents.c.role).join(_t, _t.c.id == other)
    query = query.where(*which).order_by(_t.c.created_at, _t.c.id)
    found = list[Link]()
    for some in in_chunks(ids):
        rows = connection.execute(query.where(given.in_(some)))
        found += [Link(*row) for row in rows]
    return found
