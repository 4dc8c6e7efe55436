"""The tables. One place says what is kept; migrations/ says how a database gets there.

Times are UTC. Ids are short random lower-case text, numbers only where order matters (items, answers). JSON holds what
is shown but never searched.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator

from slim_core.version import SCHEMA

HEAD = SCHEMA  # the newest migration
LIVE = ("queued", "running", "stopping", "done")  # of runs: one is offered instead of a second with the same spec


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime, on SQLite too (which keeps it without its zone)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC; without the zone where the database has none."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", sa.String(40), primary_key=True)


def _text(name: str, size: int = 200, **options: Any) -> Column[str]:
    return Column(name, sa.String(size), **{"nullable": False, **options})


def _time(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, UtcTime, nullable=nullable)


datasets = Table(
    "datasets",
    metadata,
    _id(),
    _text("name"),
    Column("root", sa.Text, nullable=False),
    _text("format", 40),
    Column("n_images", sa.Integer, nullable=False),
    Column("n_classes", sa.Integer, nullable=False),
    Column("n_attributes", sa.Integer, nullable=False),
    _text("fingerprint", 64),
    Column("report", sa.JSON, nullable=False),
    _text("created_by"),
    _time("created_at", nullable=False),
    _time("deleted_at"),
)
Index(
    "uq_datasets_fingerprint",
    datasets.c.fingerprint,
    unique=True,
    sqlite_where=datasets.c.deleted_at.is_(None),
    postgresql_where=datasets.c.deleted_at.is_(None),
)
Index("ix_datasets_name", datasets.c.name)

runs = Table(
    "runs",
    metadata,
    _id(),
    _text("kind", 40),
    _text("name"),
    _text("queue", 40),
    _text("status", 20),
    Column("priority", sa.Integer, nullable=False, server_default="0"),
    Column("spec", sa.JSON, nullable=False),
    _text("spec_hash", 64),
    Column("forced", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    _text("campaign_id", 40, nullable=True),
    Column("attempt", sa.Integer, nullable=False, server_default="0"),
    Column("losses", sa.Integer, nullable=False, server_default="0"),
    _text("token", 40, nullable=True),
    _time("lease_until"),
    Column("progress", sa.JSON, nullable=False),
    Column("metrics", sa.JSON),
    Column("message", sa.Text),
    _text("worker", nullable=True),
    _text("device", nullable=True),
    _text("shard_of", 40, nullable=True),
    _text("ended_with", 40, nullable=True),
    _time("progress_at"),
    _time("notified_at"),
    _text("created_by"),
    _time("created_at", nullable=False),
    _time("queued_at", nullable=False),
    _time("started_at"),
    _time("finished_at"),
    Column("seconds", sa.Float, nullable=False, server_default="0"),
    Column("peak_memory_mb", sa.Float),
    _text("code_version", 80, nullable=True),
    _time("deleted_at"),
)
_offered = sa.text(f"status IN {LIVE} AND deleted_at IS NULL AND NOT forced")
Index("uq_runs_live_spec", runs.c.spec_hash, unique=True, sqlite_where=_offered, postgresql_where=_offered)
Index("ix_runs_created_at", runs.c.created_at)
Index("ix_runs_status_created_at", runs.c.status, runs.c.created_at)
Index("ix_runs_kind_created_at", runs.c.kind, runs.c.created_at)
Index("ix_runs_dataset_id_created_at", runs.c.dataset_id, runs.c.created_at)
Index("ix_runs_campaign_id", runs.c.campaign_id)
Index("ix_runs_shard_of", runs.c.shard_of)

run_parents = Table(
    "run_parents",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    _text("role", 40, primary_key=True),
    Column("parent_id", ForeignKey("runs.id"), nullable=False),
)
Index("ix_run_parents_parent_id", run_parents.c.parent_id)

campaigns = Table(
    "campaigns",
    metadata,
    _id(),
    _text("name"),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("space_run_id", ForeignKey("runs.id")),
    _text("split", 10),
    Column("n_split", sa.Integer, nullable=False),
    Column("guideline", sa.Text, nullable=False),
    Column("seed", sa.BigInteger, nullable=False),
    _text("strategy", 80),
    Column("budgets", sa.JSON, nullable=False),
    Column("overlap", sa.Integer, nullable=False),
    Column("options", sa.JSON, nullable=False),
    _time("deadline"),
    _text("status", 20),
    _text("created_by"),
    _time("created_at", nullable=False),
    _time("closed_at"),
    _time("deleted_at"),
)
Index("ix_campaigns_dataset_id", campaigns.c.dataset_id)
Index("ix_campaigns_space_run_id", campaigns.c.space_run_id)

items = Table(
    "items",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("row", sa.Integer, nullable=False),
    Column("label", sa.Integer, nullable=False),
    Column("position", sa.Integer, nullable=False),
    Column("gold", sa.SmallInteger),
    Column("decision", sa.SmallInteger),
    Column("n_answers", sa.Integer, nullable=False, server_default="0"),
    Column("done", sa.Boolean, nullable=False, server_default=sa.false()),
    UniqueConstraint("campaign_id", "row"),
    UniqueConstraint("campaign_id", "position"),
)
Index("ix_items_open", items.c.campaign_id, items.c.done, items.c.position)

leases = Table(
    "leases",
    metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True),
    _text("annotator", primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    _text("session", 80),
    _time("expires_at", nullable=False),
)
Index("ix_leases_campaign_id", leases.c.campaign_id, leases.c.expires_at)

answers = Table(  # append-only: no row is ever changed or removed
    "answers",
    metadata,
    Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    _text("id", 80, unique=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    _text("annotator"),
    Column("value", sa.SmallInteger),
    Column("seen", sa.JSON, nullable=False),
    Column("duration_ms", sa.Integer, nullable=False),
    _text("source", 40),
    Column("surplus", sa.Boolean, nullable=False),
    _time("created_at", nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_answers_campaign_id_seq", answers.c.campaign_id, answers.c.seq)
Index("ix_answers_item_id_annotator", answers.c.item_id, answers.c.annotator, answers.c.seq)

current_answers = Table(  # what answers add up to, kept in the same transaction; can be rebuilt from them
    "current_answers",
    metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True),
    _text("annotator", primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("value", sa.SmallInteger, nullable=False),
)
Index("ix_current_answers_campaign_id", current_answers.c.campaign_id)

tags = Table(
    "tags",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id"), primary_key=True),
    Column("row", sa.Integer, primary_key=True, autoincrement=False),
    _text("tag", 80, primary_key=True),
    _text("added_by"),
    _time("added_at", nullable=False),
)

members = Table(
    "members",
    metadata,
    _text("email", primary_key=True),
    _text("role", 20),
    _text("added_by"),
    _time("added_at", nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=True),
    _time("at", nullable=False),
    _text("who"),
    _text("what", 80),
    _text("subject", 80),
    Column("details", sa.JSON, nullable=False),
)
Index("ix_events_subject", events.c.subject, events.c.id)

workers = Table(
    "workers",
    metadata,
    _text("id", 80, primary_key=True),
    _text("host"),
    Column("pid", sa.Integer, nullable=False),
    _text("device"),
    _text("queues", 80),
    _text("current_run", 40, nullable=True),
    _text("version", 80),
    Column("memory_mb", sa.Float),
    Column("load", sa.JSON, nullable=False),
    _time("started_at", nullable=False),
    _time("heartbeat_at", nullable=False),
    Column("blocked", sa.Text),
)

pauses = Table(  # one row while the queue is paused
    "pauses",
    metadata,
    _text("what", 20, primary_key=True),
    _text("paused_by"),
    _time("paused_at", nullable=False),
)

pipelines = Table(
    "pipelines",
    metadata,
    _id(),
    _text("kind", 20),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    _text("created_by"),
    _time("created_at", nullable=False),
)
Index("ix_pipelines_dataset_id_created_at", pipelines.c.dataset_id, pipelines.c.created_at)

pipeline_runs = Table(  # in which order they can run, is in ``run_parents``
    "pipeline_runs",
    metadata,
    Column("pipeline_id", ForeignKey("pipelines.id"), primary_key=True),
    Column("position", sa.Integer, primary_key=True, autoincrement=False),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
)
Index("ix_pipeline_runs_run_id", pipeline_runs.c.run_id)

notes = Table(  # of data sets, runs and campaigns, by their id
    "notes",
    metadata,
    _text("subject", 40, primary_key=True),
    Column("text", sa.Text, nullable=False),
    _text("changed_by"),
    _time("changed_at", nullable=False),
)

note_tags = Table(
    "note_tags",
    metadata,
    _text("subject", 40, primary_key=True),
    _text("tag", 80, primary_key=True),
)
Index("ix_note_tags_tag", note_tags.c.tag)

filters = Table(  # of images, that people have named
    "filters",
    metadata,
    _id(),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    _text("name"),
    Column("parts", sa.JSON, nullable=False),  # slim_core.data.image_filter.ImageFilter
    _text("created_by"),
    _time("created_at", nullable=False),
    UniqueConstraint("dataset_id", "name"),
)

shapes = Table(  # append-only: the newest row of an image counts; without polygons it says that they were removed
    "shapes",
    metadata,
    Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    _text("id", 80, unique=True),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("row", sa.Integer, nullable=False),
    Column("width", sa.Integer, nullable=False),
    Column("height", sa.Integer, nullable=False),
    Column("polygons", sa.JSON, nullable=False),  # [[[x, y], ...], ...] in pixels of the file
    _text("drawn_by"),
    _time("drawn_at", nullable=False),
    _text("content", 60, nullable=True),  # of the image's file then: size and hash, as images.content_of gives them
    sqlite_autoincrement=True,
)
Index("ix_shapes_dataset_id_row_seq", shapes.c.dataset_id, shapes.c.row, shapes.c.seq)
