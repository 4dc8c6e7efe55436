"""Class x environment as groups: the environments of a space as people have cut them, carried to the other splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from slim_core.data.groups import UNGROUPED, Grouping, group_index, group_names
from slim_core.data.table import ImageTable
from slim_core.space.environments import ClusterConfig, nearest
from slim_core.space.sheets import YES, Environment, EnvironmentConsensus, index_of, unsplit
from slim_core.store.results import AttentionResult, SpaceResult

ELSEWHERE = "elsewhere"  # the images of a class in environments that belong to it


def environment_groups(
    table: ImageTable,
    space: SpaceResult,
    seen: AttentionResult,
    config: ClusterConfig,
    consensus: Mapping[str, EnvironmentConsensus],
) -> Grouping:
    """Class x environment of every image that the attention pass has seen; images of no known group else.

    An image outside the space is in the environment with the nearest mean. Environments that belong to the class, as
    people say, are no groups: of each class, all images in them are one. Groups without an image in the space are left
    out, and an image elsewhere that would be in one is of no known group.

    Args:
        table: N images.
        space: of the training images.
        seen: the attention pass that the space was made from.
        config: how the space's clusters were made.
        said: path of an environment -> what people say of it.
    """
    found = unsplit(space.clusters(), consensus)
    index = np.full(len(table), UNGROUPED, np.int64)
    index[space.rows] = index_of(found, len(space.rows))
    others = ~np.isin(seen.rows, space.rows)
    if others.any():
        features = seen.features("environment")
        of_space = features[seen.positions(space.rows)]
        index[seen.rows[others]] = nearest(of_space, index[space.rows], features[others], config)
    part, names = _parts(found)
    groups = group_index(table.labels, np.where(index < 0, UNGROUPED, part[index]), len(names))
    return Grouping(groups, tuple(group_names(table.label_names, names))).with_images(space.rows)


def _parts(found: Sequence[Environment]) -> tuple[NDArray[np.int64], list[str]]:
    """Environment -> the part of a group's name it stands for, and these; all that belong to the class are one."""
    shortcuts = [each.name for each in found if each.consensus.value != YES]
    numbers = iter(range(len(shortcuts)))
    part = [len(shortcuts) if each.consensus.value == YES else next(numbers) for each in found]
    return np.array(part, np.int64), [*shortcuts, ELSEWHERE]
