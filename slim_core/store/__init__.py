"""The store: the database that owns every run, campaign and answer, and the artifacts beside it. Light: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from slim_core.settings import Settings
from slim_core.settings import settings as read_settings
from slim_core.store.artifacts import Artifacts
from slim_core.store.campaigns.answers import Answers
from slim_core.store.campaigns.assignments import Assignments
from slim_core.store.campaigns.batch import AnswerIn
from slim_core.store.campaigns.campaigns import Campaigns
from slim_core.store.campaigns.decisions import Decision, Decisions
from slim_core.store.campaigns.leases import LEASE_S, Lease
from slim_core.store.campaigns.rows import Campaign, CampaignSettings, Item
from slim_core.store.database import Database, StoreUnavailableError, make_folder
from slim_core.store.datasets import Dataset, Datasets
from slim_core.store.events import Event, Events
from slim_core.store.filters import Filters, NamedFilter
from slim_core.store.home import keep_private, require_database
from slim_core.store.migrations import migrate
from slim_core.store.notes import Note, Notes
from slim_core.store.people.members import ROLES, Member, Members, Role
from slim_core.store.people.sharing import Privacy, Sharing
from slim_core.store.queue.pause import Pause
from slim_core.store.queue.queue import Queue
from slim_core.store.removal import Removals
from slim_core.store.runs.attempts import Attempts
from slim_core.store.runs.lineage import Lineage
from slim_core.store.runs.pipelines import Pipeline, Pipelines
from slim_core.store.runs.rows import Run, Status
from slim_core.store.runs.runs import Runs
from slim_core.store.shapes.later import LaterDrawings
from slim_core.store.shapes.rows import Shape
from slim_core.store.shapes.shapes import Shapes
from slim_core.store.storage import Storage
from slim_core.store.tags import Tags
from slim_core.store.workers import Worker, Workers

__all__ = [
    "AnswerIn",
    "Campaign",
    "CampaignSettings",
    "Dataset",
    "Decision",
    "Event",
    "Item",
    "LEASE_S",
    "Lease",
    "Member",
    "NamedFilter",
    "Note",
    "Pause",
    "Pipeline",
    "Privacy",
    "ROLES",
    "Role",
    "Run",
    "Shape",
    "Status",
    "Store",
    "StoreUnavailableError",
    "Worker",
]


@dataclass(frozen=True, eq=False)
class Store:
    """Everything that is kept. Cheap to open; share one among the threads of a process."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    events: Events
    datasets: Datasets
    runs: Runs
    lineage: Lineage
    queue: Queue
    attempts: Attempts
    campaigns: Campaigns
    assignments: Assignments
    answers: Answers
    decisions: Decisions
    members: Members
    workers: Workers
    tags: Tags
    shapes: Shapes
    later_drawings: LaterDrawings
    filters: Filters
    pipelines: Pipelines
    notes: Notes
    sharing: Sharing
    storage: Storage
    removals: Removals

    @classmethod
    def open(cls, settings: Settings | None = None) -> Self:
        """Make the home's folders, readable by their owner alone, and bring the database to the newest schema.

        Raises:
            StoreUnavailableError: the home or the database cannot be written, is locked, damaged, of another
                schema, or gone although there are results.
        """
        settings = settings or read_settings()
        keep_private(make_folder(settings.home))  # before anything is written into it
        database = Database(settings.database)
        require_database(settings.home, database)
        try:
            migrate(database)
            keep_private(settings.home)
        except BaseException:
            database.close()
            raise
        return cls._over(settings, database, Artifacts(settings.home.resolve(), settings.artifacts_url, database))

    def seen_by(self, who: str) -> Self:
        """The same store as this person, named by e-mail, may see it: a view, as cheap as a session.

        Private data sets and campaigns of others are not there for any of its methods (store/people/visibility.py);
        roles are looked up in each statement. Commands and workers use the whole store.
        """
        database = self.database.seen_by(who)
        return self._over(self.settings, database, self.artifacts.seen_by(database), self)

    @classmethod
    def _over(cls, settings: Settings, database: Database, artifacts: Artifacts, whole: Self | None = None) -> Self:
        """``whole``: of which this is a person's view."""
        home = settings.home.resolve()
        events, workers = Events(database), Workers(database)
        datasets = Datasets(database, artifacts, events, home, whole.datasets if whole else None)
        return cls(
            settings=settings,
            database=database,
            artifacts=artifacts,
            events=events,
            datasets=datasets,
            runs=Runs(database, artifacts, events, datasets, settings.shard_images),
            lineage=Lineage(database, artifacts),
            queue=Queue(database, events, settings.lease_s),
            attempts=Attempts(database, artifacts, events, settings.lease_s),
            campaigns=Campaigns(database, events, datasets),
            assignments=Assignments(database, whole.assignments.skips if whole else None),
            answers=Answers(database, events),
            decisions=Decisions(database, events),
            members=Members(database, events),
            workers=workers,
            tags=Tags(database, events, datasets),
            shapes=Shapes(database, events, datasets),
            later_drawings=LaterDrawings(database, events, datasets),
            filters=Filters(database, events, datasets),
            pipelines=Pipelines(database, events),
            notes=Notes(database, events),
            sharing=Sharing(database, events),
            storage=Storage(home, database, artifacts),
            removals=Removals(home, database, artifacts, events, datasets, whole.datasets if whole else datasets),
        )

    def __eq__(self, other: object) -> bool:
        """Views of one store are equal: a finished run reads the same for all who are shown it, and is cached once."""
        return isinstance(other, Store) and self.database.whole is other.database.whole

    def __hash__(self) -> int:
        return id(self.database.whole)

    def close(self) -> None:
        """Give back the connections to the database."""
        self.database.close()
