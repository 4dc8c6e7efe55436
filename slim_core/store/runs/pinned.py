"""What a submission pins in a spec that leaves it open: answers, drawn shapes and a checkpoint as they are now."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.fingerprint import sha256_of
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.datasets import Dataset
from slim_core.store.shapes.rows import newest_seq
from slim_core.store.shapes.shapes import SCORED


def pin_answers(connection: Connection, spec: dict[str, Any], dataset: Dataset) -> None:
    """Where a spec names campaigns, itself or in its dicts, pin their answers so far: the run can be repeated exactly.

    A space that is left open is the campaign's.
    """
    for named in (spec, *(value for value in spec.values() if isinstance(value, dict))):
        if named.get("campaign") is not None:
            _pin_campaign(connection, named, dataset)


def pin_shapes(connection: Connection, spec: dict[str, Any], dataset: Dataset) -> None:
    """Where attention is scored, pin what was drawn so far: scores against other shapes are another run."""
    is_scored = spec["kind"] in SCORED and spec.get("attention", True)
    if is_scored and spec.get("shapes_seq") is None and (seq := newest_seq(connection, dataset.id)):
        spec["shapes_seq"] = seq


def pin_checkpoint(spec: dict[str, Any]) -> None:
    """Where a training starts from a file, pin its content: what is under this path next is another training."""
    path = spec.get("checkpoint")
    if path is not None and spec.get("reference") is None and spec.get("checkpoint_sha256") is None:
        with suppress(OSError, ValueError):  # the step says so
            spec["checkpoint_sha256"] = sha256_of(Path(path).expanduser())


def _pin_campaign(connection: Connection, named: dict[str, Any], dataset: Dataset) -> None:
    campaigns, campaign_id = schema.campaigns.c, named["campaign"]
    known = connection.execute(
        sa.select(campaigns.dataset_id, campaigns.space_run_id).where(
            campaigns.id == campaign_id, campaigns.deleted_at.is_(None)
        )
    )
    found = known.first()
    if found is None:
        raise NotFoundError(f"There is no campaign {campaign_id}: choose one on the Annotate page.")
    if found.dataset_id != dataset.id:
        raise SpecRefusedError(
            f"Campaign {campaign_id} asks about images of another data set than {dataset.name}: choose another."
        )
    if named.get("answers_seq") is None:
        newest = sa.select(sa.func.max(schema.answers.c.seq)).where(schema.answers.c.campaign_id == campaign_id)
        named["answers_seq"] = connection.execute(newest).scalar() or 0
    if "space" in named and named["space"] is None:
        named["space"] = found.space_run_id
