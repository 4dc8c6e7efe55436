"""Finished runs whose attention was scored against other shapes than are drawn now, and scoring them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app import session
from app.services.queueing import pipelines
from slim_core.store.shapes.shapes import SCORED

if TYPE_CHECKING:
    from slim_core.store import Pipeline, Run


def outdated(dataset: str) -> list[Run]:
    """The newest run of each spec, oldest first, that knows other shapes than there are now."""
    store = session.store()
    newest = store.shapes.newest(dataset) or None
    found: dict[str, Run] = {}
    for kind in SCORED:
        for run in reversed(store.runs.all(kind=kind, dataset=dataset, metrics=False)):
            if run.status not in ("failed", "canceled") and run.spec.get("attention", True):
                found[json.dumps(without_shapes(run.spec), sort_keys=True)] = run
    behind = [run for run in found.values() if run.spec.get("shapes_seq") != newest]
    return sorted((run for run in behind if run.status == "done"), key=lambda run: run.created_at)


def score_again(runs: list[Run]) -> Pipeline:
    """Queue them with the shapes of now (needs lead); their maps are taken over where they were kept.

    Raises:
        QueueUnavailableError: Redis does not answer; all of them are saved, and start when it does.
    """
    return pipelines.to_scores([(without_shapes(run.spec), run.name) for run in runs])


def without_shapes(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec that is scored against the shapes of now: they are pinned when it is submitted."""
    return {key: value for key, value in spec.items() if key != "shapes_seq"}
