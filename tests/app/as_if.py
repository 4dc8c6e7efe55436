"""A finished evaluation as if its model were right on other images, metrics and predictions alike; or not scored; a
run as if it had another status."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from app import session
from app.services.results.comparison import _predictions, predictions_of
from slim_core import result_files
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, wilson
from slim_core.store import Run, schema
from slim_core.store.runs.rows import ENDED


def as_if(evaluation: str, correct: int) -> None:
    """As if the model were right on so many images of each group, the first ones of the split."""
    store = session.store()
    run = store.runs.fetch(evaluation)
    metrics, path = run.metrics, store.artifacts.folder(evaluation) / result_files.PREDICTIONS
    labels = store.datasets.table(run.dataset_id).labels
    kept = predictions_of(run)[["row", "label", "prediction", "group", "confidence"]]
    own, is_right = labels[kept["row"].to_numpy()], kept.groupby("group").cumcount() < correct
    path.unlink()  # homes share their files
    kept.assign(prediction=np.where(is_right, own, (own + 1) % 2)).to_parquet(path, index=False)
    _predictions.cache_clear()
    for group in metrics["groups"]:
        low, high = (float(each) for each in wilson(correct, group["n"]))
        group |= {"correct": correct, "accuracy": correct / group["n"], "low": low, "high": high}
    metrics |= {"wga": metrics["groups"][0]["accuracy"], "average": metrics["groups"][0]["accuracy"]}
    with store.database.write() as connection:
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == evaluation).values(metrics=metrics))


def as_if_not_scored(*, with_maps: bool = True) -> None:
    """As if no image had a mask when the evaluations were made; or as if they had been made without maps."""
    store = session.store()
    for run in store.runs.all(kind="evaluate", status="done"):
        left = {key: value for key, value in run.metrics.items() if key not in (AIOU, ATTENTION_PRECISION)}
        values = {"metrics": left | {COVERAGE: 0.0 if with_maps else None}, "spec": run.spec | {"attention": with_maps}}
        with store.database.write() as connection:
            connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run.id).values(**values))


def drawn_on(n: int) -> None:
    """A drawing on so many test images."""
    store = session.store()
    (dataset,) = store.datasets.all()
    for row in store.datasets.table(dataset.id).rows("test")[:n]:
        store.shapes.keep(dataset.id, int(row), [[[2, 2], [20, 2], [20, 12]]], (28, 28), id=f"drawn-{row}")


def as_if_status(run: Run, status: str) -> None:
    """As if the run had this status, a finished one since just now; its files stay."""
    database = session.store().database
    with database.write() as connection:
        finished_at = database.now(connection) if status in ENDED else None
        of_run = sa.update(schema.runs).where(schema.runs.c.id == run.id)
        connection.execute(of_run.values(status=status, finished_at=finished_at))
