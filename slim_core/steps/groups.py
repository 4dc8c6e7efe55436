"""The groups a training balances and is chosen by: by attribute, or by environments that people were asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slim_core.annotation.environment_groups import environment_groups
from slim_core.curation import consensus
from slim_core.data.groups import Grouping, grouping
from slim_core.data.table import ImageTable, Split
from slim_core.errors import SpecRefusedError
from slim_core.space.environments import ClusterConfig
from slim_core.space.sheets import unsplit
from slim_core.steps.answers import environment_consensus
from slim_core.steps.context import StepContext
from slim_core.store.results import AttentionResult, SpaceResult

_BY_CLASS = "the groups are the classes alone"
_NAMED = 10  # groups in a sentence


def groups_by(subset: str | None, table: ImageTable, split: Split, context: StepContext) -> Grouping:
    """Groups of all images: by attribute, or class x environment as a curate run knew the environments.

    Raises:
        SpecRefusedError: the features behind the curate run do not cover the split.
    """
    if subset is None:
        return grouping(table)
    curated = context.store.runs.fetch(subset).spec
    space = context.store.runs.fetch(curated["space"])
    seen = AttentionResult(context.parent(space.spec["attention"]))
    if len(missing := np.setdiff1d(table.rows(split), seen.rows)):
        raise SpecRefusedError(
            f"The features behind {subset} lack {len(missing)} of the {split} images, whose environments are asked "
            f"for: run gradcam or features with {split} among its splits, then space and curate."
        )
    config = ClusterConfig.of(space.spec)
    found = SpaceResult(context.parent(space.id))
    return environment_groups(table, found, seen, config, environment_consensus(context.store, curated))


def environment_notes(subset: str | None, context: StepContext) -> list[str]:
    """What the environments, and the answers about them, make of the groups, where it is not what was asked for."""
    if subset is None:
        return []
    curated = context.store.runs.fetch(subset).spec
    clusters = SpaceResult(context.parent(curated["space"])).clusters()
    found = unsplit(clusters, environment_consensus(context.store, curated))
    return consensus.notes(found, _BY_CLASS) + consensus.single(found, _BY_CLASS)


def left_out(names: Sequence[str]) -> str:
    """A note about groups that a training by groups goes without."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (
        f"Left out of the balance of groups, as there are too few images of them to train on: "
        f"{'; '.join(names[:_NAMED])}{more}."
    )
