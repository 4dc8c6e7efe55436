"""The store: the database that owns every run, campaign and answer, and the artifacts beside it. Light: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from slim_core.settings import Settings
from slim_core.settings import settings as read_settings
from slim_core.store.artifacts import Artifacts
from slim_core.store.campaigns.answers import AnswerIn, Answers
from slim_core.store.campaigns.assignments import LEASE_S, Assignments, Lease
from slim_core.store.campaigns.campaigns import Campaign, Campaigns, CampaignSettings, Item
from slim_core.store.campaigns.decisions import Decision, Decisions
from slim_core.store.database import Database, StoreUnavailableError, make_folder
from slim_core.store.datasets import Dataset, Datasets
from slim_core.store.events import Event, Events
from slim_core.store.home import keep_private, require_database
from slim_core.store.members import ROLES, Member, Members, Role
from slim_core.store.migrations import migrate
from slim_core.store.notes import Filters, NamedFilter, Note, Notes, Tags
from slim_core.store.removal import Removals
from slim_core.store.runs.attempts import Attempts
from slim_core.store.runs.lineage import Lineage
from slim_core.store.runs.pipelines import Pipeline, Pipelines
from slim_core.store.runs.queue import Pause, Queue
from slim_core.store.runs.rows import Run, Status
from slim_core.store.runs.runs import History, Runs
from slim_core.store.shape_rows import Shape
from slim_core.store.shapes import Shapes
from slim_core.store.storage import Storage
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
    "ROLES",
    "Role",
    "Run",
    "Shape",
    "Status",
    "Store",
    "StoreUnavailableError",
    "Worker",
]


@dataclass(frozen=True, eq=False)  # kept by caches under what it is, not under what it holds
class Store:
    """Everything that is kept. Cheap to open; share one among the threads of a process."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    events: Events
    datasets: Datasets
    runs: Runs
    history: History
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
    filters: Filters
    pipelines: Pipelines
    notes: Notes
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
        home = settings.home.resolve()
        artifacts, events = Artifacts(home, settings.artifacts_url, database), Events(database)
        datasets = Datasets(database, artifacts, events, home)
        return cls(
            settings=settings,
            database=database,
            artifacts=artifacts,
            events=events,
            datasets=datasets,
            runs=Runs(database, artifacts, events, datasets),
            history=History(database),
            lineage=Lineage(database, artifacts),
            queue=Queue(database, events),
            attempts=Attempts(database, artifacts, events, settings.lease_s),
            campaigns=Campaigns(database, events, datasets),
            assignments=Assignments(database),
            answers=Answers(database, events),
            decisions=Decisions(database, events),
            members=Members(database, events),
            workers=Workers(database),
            tags=Tags(database, events, datasets),
            shapes=Shapes(database, events, datasets),
            filters=Filters(database, events, datasets),
            pipelines=Pipelines(database, events),
            notes=Notes(database, events),
            storage=Storage(home, database, artifacts),
            removals=Removals(home, database, artifacts, events, datasets),
        )

    def close(self) -> None:
        """Give back the connections to the database."""
        self.database.close()
