"""The two attention spaces and the environment clusters of one split, and the images to ask about (METHOD S2, S3)."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.annotation.candidates import budgets_of, why_more
from slim_core.annotation.plan import Plan, default_name, free_name, open_campaign
from slim_core.data.table import ImageTable, require_for_space
from slim_core.errors import SpecRefusedError
from slim_core.space.embedding import embed
from slim_core.space.environments import Clusters, environment_clusters
from slim_core.steps.context import StepContext
from slim_core.steps.specs import CandidatesSpec, SpaceSpec
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign

SPACES = ("attention", "environment")


def run(spec: SpaceSpec, context: StepContext) -> dict[str, Any]:
    """Write rows, attention_space, environment_space, environment_reduced, clusters (.npy) and clusters.json.

    A stop is seen between the epochs of UMAP. Its search for neighbours cannot be interrupted from within: there a
    worker kills the process of the job after the grace time.

    Raises:
        SpecRefusedError: the features do not cover the split or are not finite, or there are too few images.
    """
    table = context.table(spec.dataset)
    seen = AttentionResult(context.parent(spec.attention))
    positions = positions_of(table, seen, spec.split)
    rows = seen.rows[positions]
    np.save(context.out / result_files.ROWS, rows)
    for at, name in enumerate(SPACES):
        stage = f"{name} space"
        context.progress(0, 0, stage)
        points = embed(
            _stored(seen, name, positions),
            spec,
            check_stop=context.check_stop,
            on_epoch=partial(_say_epoch, context, at),
            on_placed=partial(context.progress, phase=f"{stage}: images placed"),
        )
        np.save(context.out / result_files.SPACES[name], points)
    context.check_stop()
    context.progress(0, 1, "environment clusters")
    clusters = environment_clusters(_stored(seen, "environment", positions), table.labels[rows], spec)
    _save_clusters(clusters, table, context.out)
    return {
        "images": len(rows),
        "clusters": dict(zip(table.label_names, clusters.occupied(table.labels[rows], table.n_classes), strict=True)),
    }


def _say_epoch(context: StepContext, at: int, epoch: int, epochs: int) -> None:
    """One count for both spaces, whose fits take equally many epochs."""
    context.progress(at * epochs + epoch, len(SPACES) * epochs, f"epochs of the {SPACES[at]} space")


def _stored(seen: AttentionResult, name: str, positions: NDArray[np.int64]) -> NDArray[Any]:
    """Features (n, K) in the 16 bits in which they are kept: whoever computes with them widens a part at a time."""
    return np.asarray(seen.stored_features(name)[positions])


def positions_of(table: ImageTable, seen: AttentionResult, split: str) -> NDArray[np.int64]:
    """Positions in the arrays of an attention pass that belong to the split.

    Raises:
        SpecRefusedError: an image of the split is missing there, or the split has too few images.
    """
    require_for_space(table, split)
    wanted = table.rows(split)
    positions = np.flatnonzero(np.isin(seen.rows, wanted))
    if len(positions) < len(wanted):
        raise SpecRefusedError(
            f"The features cover {len(positions)} of the {len(wanted)} {split} images: "
            f"run gradcam with {split} among its splits."
        )
    return positions


def _save_clusters(clusters: Clusters, table: ImageTable, out: Path) -> None:
    np.save(out / result_files.ENVIRONMENT_REDUCED, clusters.reduced)
    np.save(out / result_files.CLUSTERS, clusters.index)
    about = clusters.to_json() | {"n_per_class": clusters.n_clusters(table.n_classes)}
    (out / result_files.CLUSTERS_ABOUT).write_text(json.dumps(about, indent=1))


CHOOSING = "choosing images"


def choose(spec: CandidatesSpec, context: StepContext) -> dict[str, Any]:
    """Open the campaign in the name of who submitted the run; once, however many attempts the run takes.

    Raises:
        SpecRefusedError: a class has fewer images than are asked about.
        AnswersRefusedError: the space has no attention maps, so that nobody could see what is asked about.
    """
    context.progress(0, 1, CHOOSING)
    campaign = _open_campaign(spec, context)
    context.progress(1, 1, CHOOSING)
    return {"campaign": campaign.id, "images": sum(campaign.budgets.values()), "classes": len(campaign.budgets)}


def _open_campaign(spec: CandidatesSpec, context: StepContext) -> Campaign:
    """A new campaign, or that of an attempt that was lost after it had opened it (``Campaigns.create``)."""
    store = context.store
    labels = context.table(spec.dataset).labels[SpaceResult(context.parent(spec.space)).rows]
    budgets = budgets_of(labels, spec.share)
    if spec.share is None and (why := why_more(sum(budgets.values()), len(labels))):
        context.log.info("%s", why)
    name = free_name(store, spec.dataset, default_name(sum(budgets.values()) / len(labels)))
    plan = Plan(spec.space, budgets, name=name, seed=spec.seed, run=context.run_id)
    context.check_stop()
    return open_campaign(store, plan, store.runs.fetch(context.run_id).created_by)
