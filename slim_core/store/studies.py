"""Studies and what their cases came to: written while a study runs, so that pages show it and a second run resumes."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError
from slim_core.store import schema
from slim_core.store.database import Database, in_chunks, insert_new, insert_or_replace, json_safe, new_id
from slim_core.store.events import Events
from slim_core.store.runs.lineage import ancestors_of
from slim_core.version import code_version

_t, _cases, _sets = schema.studies, schema.study_cases, schema.study_datasets
_runs, _campaigns = schema.runs, schema.campaigns


@dataclass(frozen=True)
class StudyRecord:
    """A study as it is kept."""

    id: str
    name: str
    digest: str  # of what was asked: the same file is the same study
    spec: dict[str, Any]
    n_cases: int
    code_version: str | None  # that ran it last
    created_by: str
    created_at: datetime  # UTC, as the next two
    started_at: datetime  # the last time
    finished_at: datetime | None
    n_ended: int = 0  # cases that ended since it started, with a result or with a sentence on why there is none


class Studies:
    """Every study."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def start(self, name: str, digest: str, spec: Mapping[str, Any], n_cases: int, by: str = "local") -> StudyRecord:
        """The study of this digest, under way from now on; created if there is none."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            about = {"name": name, "n_cases": n_cases, "code_version": code_version(), "started_at": now}
            row = {"id": new_id("study"), "digest": digest, "spec": json_safe(spec), **about}
            new = insert_new(connection, _t).values(**row, created_by=by, created_at=now)
            if connection.execute(new.returning(_t.c.id)).first() is not None:
                self._events.note(connection, by, "study.created", row["id"], {"name": name})
            else:
                connection.execute(_t.update().where(_t.c.digest == digest).values(**about, finished_at=None))
            found = _read(connection, _t.c.digest == digest)
        return found[0]

    def record(self, study_id: str, case: str, entry: Mapping[str, Any]) -> None:
        """Keep what a case came to; what it came to before is replaced."""
        with self._database.write() as connection:
            row = {"study_id": study_id, "case": case, "entry": json_safe(entry)}
            kept = insert_or_replace(connection, _cases)
            connection.execute(kept, row | {"ended_at": self._database.now(connection)})

    def link(self, study_id: str, dataset_id: str) -> None:
        """Keep that a study computes on a data set: who is not shown that one is not shown the study."""
        with self._database.write() as connection:
            connection.execute(insert_new(connection, _sets), {"study_id": study_id, "dataset_id": dataset_id})

    def finish(self, study_id: str) -> None:
        """Every case has ended."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            connection.execute(_t.update().where(_t.c.id == study_id).values(finished_at=now))

    def fetch(self, study_id: str) -> StudyRecord:
        """A study by its id.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.read() as connection:
            found = _read(connection, _t.c.id == study_id)
        if not found:
            raise NotFoundError(f"There is no study {study_id!r}: see slim studies.")
        return found[0]

    def all(self) -> list[StudyRecord]:
        """Every study, the one started last first."""
        with self._database.read() as connection:
            return _read(connection, sa.true())

    def unfinished(self, dataset_id: str) -> list[StudyRecord]:
        """Those that compute on a data set and have not come to their end: under way, or interrupted."""
        on_it = sa.select(_sets.c.study_id).where(_sets.c.dataset_id == dataset_id)
        with self._database.read() as connection:
            return _read(connection, sa.and_(_t.c.finished_at.is_(None), _t.c.id.in_(on_it)))

    def made(self, dataset_id: str) -> frozenset[str]:
        """Ids of the runs and campaigns that studies have made on a data set, not those that they found there.

        They are what the evaluation of a case rests on, and the trainings that its model was chosen from, once the case
        has ended.
        """
        with self._database.read() as connection:
            on_it = sa.select(_sets.c.study_id).where(_sets.c.dataset_id == dataset_id)
            begun = connection.execute(sa.select(_t.c.id, _t.c.created_at).where(_t.c.id.in_(on_it))).all()
            made = (_made(connection, study.id, dataset_id, study.created_at) for study in begun)
            return frozenset(one for each in made for one in each)

    def entries(self, study_id: str, since: datetime | None = None) -> dict[str, dict[str, Any]]:
        """Case -> what it came to, in the order in which they ended; all, or those that ended since a time."""
        query = sa.select(_cases.c.case, _cases.c.entry).where(_cases.c.study_id == study_id)
        query = (query if since is None else query.where(_cases.c.ended_at >= since)).order_by(_cases.c.ended_at)
        with self._database.read() as connection:
            return {str(case): dict(entry) for case, entry in connection.execute(query)}


def _made(connection: Connection, study_id: str, dataset_id: str, since: datetime) -> Iterator[str]:
    """What was made since then and what the evaluations of a study are, rest on, or were preferred to."""
    entries = sa.select(_cases.c.entry["evaluation"].as_string()).where(_cases.c.study_id == study_id)
    evaluations = [one for one in connection.execute(entries).scalars() if one]
    found = {*evaluations, *ancestors_of(connection, evaluations)}
    tried = _tried_beside(connection, found, dataset_id, since)
    for some in in_chunks([*found, *tried, *ancestors_of(connection, tried)]):
        runs = sa.select(_runs.c.id, _runs.c.campaign_id).where(_runs.c.id.in_(some), _runs.c.created_at >= since)
        there = connection.execute(runs).all()
        yield from (run.id for run in there)
        asked = {run.campaign_id for run in there}
        yield from connection.execute(
            sa.select(_campaigns.c.id).where(_campaigns.c.id.in_(asked), _campaigns.c.created_at >= since)
        ).scalars()


def _tried_beside(connection: Connection, found: Container[str], dataset_id: str, since: datetime) -> list[str]:
    """Trainings since then that differ from one of ``found`` by the options of their objective alone.

    Of these validation chose that one, as of JTT's: no evaluation rests on the others, and no case names them.
    """
    has_options = sa.and_(_runs.c.kind == "train", _runs.c.spec["objective"].as_string() != "erm")
    query = sa.select(_runs.c.id, _runs.c.spec).where(has_options, _runs.c.dataset_id == dataset_id)
    trained = {
        row.id: _but_for_options(row.spec) for row in connection.execute(query.where(_runs.c.created_at >= since))
    }
    chosen = {spec for one, spec in trained.items() if one in found}
    return [one for one, spec in trained.items() if spec in chosen and one not in found]


def _but_for_options(train: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in train.items() if name != "objective_options"}, sort_keys=True)


def _read(connection: Connection, which: sa.ColumnElement[bool]) -> list[StudyRecord]:
    since = sa.and_(_cases.c.study_id == _t.c.id, _cases.c.ended_at >= _t.c.started_at)
    ended = sa.select(sa.func.count()).where(since).scalar_subquery().label("n_ended")
    query = sa.select(_t, ended).where(which).order_by(_t.c.started_at.desc(), _t.c.id)
    return [StudyRecord(**row) for row in connection.execute(query).mappings()]
