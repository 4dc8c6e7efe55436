"""The merge of a pass whose shards are done. Light: imports no torch.

Shards are queued with their run (slim_core.store.runs.shards) where a queue takes them to many workers. In one process
(``slim gradcam`` without a queue) a pass is never split: there it would only add a merge, and an interrupted pass
resumes from its own checkpoint anyway. A run that was queued with shards is done by such a process shard after shard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention import thumbnails
from slim_core.attention.arrays import merge_arrays, merge_scores, summed_up
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, NotFoundError, SpecRefusedError
from slim_core.steps.context import StepContext
from slim_core.steps.specs import FeaturesSpec
from slim_core.store.results import AttentionResult
from slim_core.store.runs.rows import Run


def rows_of(table: ImageTable, spec: FeaturesSpec) -> NDArray[np.int64]:
    """Rows the spec covers, ascending: those of its splits, or its share of them where it is a shard.

    Raises:
        DataRefusedError: none of the splits has an image.
    """
    rows = np.sort(np.concatenate([table.rows(split) for split in spec.splits]))
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no images in {', '.join(spec.splits)}: choose another split.")
    share = spec.share(len(rows))
    return rows[share.start : share.stop]


def merge(spec: FeaturesSpec, table: ImageTable, shards: list[Run], context: StepContext) -> dict[str, Any]:
    """Join what the shards left into what one pass would have left, byte for byte, and its metrics.

    Only times differ: ``seconds`` adds up the shards' work. Shards that ran on unlike devices differ from one pass in
    the last digits, as any two devices do. What the shards made is removed once the merge is recorded; their logs stay.

    Raises:
        SpecRefusedError: the shards do not add up to the images of the spec.
    """
    folders = [_left_by(shard, context) for shard in shards]
    merge_arrays(
        folders,
        context.out,
        lambda done, total: context.progress(done, total, f"merging {len(shards)} shards"),
        context.check_stop,
    )
    rows = rows_of(table, spec)
    if not np.array_equal(AttentionResult(context.out).rows, rows):
        raise SpecRefusedError(f"The shards of {context.run_id} hold other images than {table.name}: submit it again.")
    scores = merge_scores(folders, context.out)
    thumbnails.merge(folders, context.out)
    every = [shard.metrics or {} for shard in shards]
    if "path" not in every[0]:  # of features: they have no more metrics than these
        return {"images": len(scores), "reused": every[0]["reused"] if len({m["reused"] for m in every}) == 1 else None}
    seconds = sum(metrics["seconds"] for metrics in every)
    same: dict[str, Any] = {key: every[0].get(key) for key in ("path", "target_layer", "map_shape", "n_features")}
    return summed_up(scores, table.labels[rows], **same, seconds=seconds)


def _left_by(shard: Run, context: StepContext) -> Path:
    try:
        folder = context.parent(shard.id)
    except NotFoundError:
        folder = None
    if folder is None or not (folder / result_files.ROWS).is_file():
        raise SpecRefusedError(
            f"The result of shard {shard.spec['shard'] + 1} of {shard.spec['shards']} ({shard.id}) is gone: submit the "
            f"{shard.kind} step again."
        )
    return folder
