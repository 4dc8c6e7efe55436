"""The groups a training balances and is chosen by: by attribute, or by environments that people were asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slim_core.annotation.environment_groups import environment_groups
from slim_core.curation import consensus
from slim_core.data.groups import Grouping, grouping
from slim_core.data.table import ImageTable, Split
from slim_core.errors import SpecRefusedError
from slim_core.space.environments import ClusterConfig
from slim_core.space.sheets import Environment, unsplit
from slim_core.steps.answers import environment_consensus
from slim_core.steps.context import StepContext
from slim_core.store.results import AttentionResult, SpaceResult

Rows = NDArray[np.int64]
_BY_CLASS = "the groups are the classes alone"
DRAWN = "training image, which is drawn as often as all images of any other group together"
CHOSEN_BY = "validation image, which alone can decide the selection by worst group"
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
    found = _environments(subset, context)
    return consensus.notes(found, _BY_CLASS) + consensus.single(found, _BY_CLASS) if found else []


def why_only_classes(subset: str | None, context: StepContext) -> list[str]:
    """Why groups by environments are the classes alone, where they are."""
    found = _environments(subset, context)
    return consensus.all_belong(found, _BY_CLASS) + consensus.single(found, _BY_CLASS) if found else []


def _environments(subset: str | None, context: StepContext) -> list[Environment]:
    """As a curate run knew them; none: the groups are not by environments."""
    if subset is None:
        return []
    curated = context.store.runs.fetch(subset).spec
    clusters = SpaceResult(context.parent(curated["space"])).clusters()
    return unsplit(clusters, environment_consensus(context.store, curated))


def left_out(names: Sequence[str]) -> list[str]:
    """A note about groups that a training by groups goes without, if any."""
    why = "Left out of the balance of groups, as there are too few images of them to train on"
    return [f"{why}: {_listed(names)}."] if names else []


def single_images(groups: Grouping, rows: Rows, used: str, other: str) -> list[str]:
    """A note about groups with a single image among the rows, if any.

    Args:
        groups: of all images.
        rows: distinct positions.
        used: what becomes of these images, DRAWN or CHOSEN_BY.
        other: what to choose another of.
    """
    names = [name for name, n in zip(groups.names, groups.counts(rows), strict=True) if n == 1]
    remedy = f"Add images of them, or choose another {other}."
    return [f"Groups with a single {used}: {_listed(names)}. {remedy}"] if names else []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{'; '.join(names[:_NAMED])}{more}"
