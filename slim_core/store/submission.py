"""What is submitted, and what is filled in meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.table import Split
from slim_core.errors import NotFoundError
from slim_core.store import schema

_parents = schema.run_parents


# role -> kinds of the runs that can have it
PARENT_KINDS: Mapping[str, tuple[str, ...]] = {
    "model": ("train",),
    "reference": ("train",),
    "subset": ("curate",),
    "attention": ("gradcam", "features"),
    "space": ("space",),
}


class SpecLike(Protocol):
    """What can be submitted: every spec of slim_core.steps.specs."""

    @property
    def kind(self) -> str:
        """Name of the step."""

    @property
    def dataset(self) -> str:
        """Id or name of a data set."""

    @property
    def queue(self) -> str:
        """Which workers take it."""

    def parents(self) -> Mapping[str, str]:
        """Role -> run id."""

    def record(self) -> dict[str, Any]:
        """The spec as plain JSON, as a run keeps it."""

    def in_shards(self, n_per_split: Mapping[Split, int], largest: int) -> Sequence[tuple[SpecLike, int]]:
        """The specs of its parts and the images of each, where it is too large to be done in one."""


def relate(connection: Connection, run_id: str, parents: Mapping[str, str]) -> None:
    """Keep what a run reads."""
    for role, parent_id in parents.items():
        connection.execute(_parents.insert().values(run_id=run_id, role=role, parent_id=parent_id))


def freeze_answers(connection: Connection, spec: dict[str, Any]) -> None:
    """Where a spec names a campaign, pin the answers given so far, so that the run can be repeated exactly."""
    campaign_id = spec.get("campaign")
    if campaign_id is None:
        return
    known = connection.execute(sa.select(schema.campaigns.c.id).where(schema.campaigns.c.id == campaign_id)).scalar()
    if known is None:
        raise NotFoundError(f"There is no campaign {campaign_id}: choose one of the Annotate page.")
    if spec.get("answers_seq") is None:
        newest = sa.select(sa.func.max(schema.answers.c.seq)).where(schema.answers.c.campaign_id == campaign_id)
        spec["answers_seq"] = connection.execute(newest).scalar() or 0
