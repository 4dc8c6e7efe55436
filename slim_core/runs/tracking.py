"""Finished runs are also logged to MLflow, where SLIM_MLFLOW_TRACKING_URI names a server and the package is there.

Parameters are the spec, metrics the run's, with a training's history as steps; tags lead back to the run here. What
fails there is written into the run's log, and never changes what the run is here.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slim_core import result_files
from slim_core.errors import first_line
from slim_core.store.results import ModelResult

if TYPE_CHECKING:
    from slim_core.store import Run, Store

log = logging.getLogger(__name__)

EXPERIMENT = "SLIM Studio"
RUN_ID = "slim.run_id"
_FILES = (result_files.METRICS, result_files.SPEC, result_files.HISTORY, result_files.ENVIRONMENT)
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": 10, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": 1}  # else minutes, where it is gone
_LONGEST_VALUE = 6000  # characters of a parameter
_BATCH = {"params": 100, "metrics": 1000}  # the most one request may hold


def missing(uri: str | None) -> str | None:
    """What to do where runs are to be logged and the package is not there; None where all is well."""
    if uri is None or importlib.util.find_spec("mlflow") is not None:
        return None
    return "SLIM_MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install mlflow-skinny."


def record(store: Store, run: Run) -> None:
    """Log a finished run, once; shards are not logged. Never raises."""
    uri = store.settings.mlflow_tracking_uri
    if uri is None or missing(uri) or run.status != "done" or run.shard_of is not None:
        return
    try:
        _record(_client(uri), store, run)
    except Exception as error:  # the border of a foreign package and of a server: the run is done all the same
        log.warning("Run %s is done but could not be logged to MLflow: %s", run.id, first_line(error))


def _client(uri: str) -> Any:
    mlflow = importlib.import_module("mlflow")
    variables = importlib.import_module("mlflow.environment_variables")
    for name, value in _PATIENCE.items():
        variable = getattr(variables, name)
        if not variable.is_set():
            variable.set(value)
    return mlflow.MlflowClient(tracking_uri=uri)


def _record(client: Any, store: Store, run: Run) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    if client.search_runs([experiment_id], filter_string=f"tags.`{RUN_ID}` = '{run.id}'", max_results=1):
        return
    began, ended = (_milliseconds(moment) for moment in (run.started_at, run.finished_at))
    made = client.create_run(experiment_id, start_time=began, tags=tags(store, run), run_name=run.name)
    folder = store.artifacts.folder(run.id)
    _log(client, made.info.run_id, run, ModelResult(folder).history())
    for name in _FILES:
        if (folder / name).exists():
            client.log_artifact(made.info.run_id, str(folder / name))
    client.set_terminated(made.info.run_id, "FINISHED", end_time=ended)


def _log(client: Any, mlflow_id: str, run: Run, history: list[dict[str, Any]]) -> None:
    entities = importlib.import_module("mlflow.entities")
    at = _milliseconds(run.finished_at)
    params = [entities.Param(key, str(value)[:_LONGEST_VALUE]) for key, value in leaves(run.spec)]
    metrics = [entities.Metric(key, value, at, 0) for key, value in numbers(run.metrics or {})]
    for entry in history:
        step = int(entry.get("epoch", 0))
        metrics += [entities.Metric(key, value, at, step) for key, value in numbers(entry) if key != "epoch"]
    for first in range(0, len(params), _BATCH["params"]):
        client.log_batch(mlflow_id, params=params[first : first + _BATCH["params"]])
    for first in range(0, len(metrics), _BATCH["metrics"]):
        client.log_batch(mlflow_id, metrics=metrics[first : first + _BATCH["metrics"]])


def tags(store: Store, run: Run) -> dict[str, str]:
    """Where the run comes from."""
    parents = ", ".join(f"{role} {parent.id}" for role, parent in store.runs.parents(run.id))
    found = {
        RUN_ID: run.id,
        "slim.kind": run.kind,
        "slim.dataset": store.datasets.fetch(run.dataset_id).name,
        "slim.code_version": run.code_version,
        "slim.device": run.device,
        "slim.parents": parents,
        "mlflow.user": run.created_by,
    }
    return {key: value for key, value in found.items() if value}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """("options.threshold", 0.6) of {"options": {"threshold": 0.6}}; a part of a list goes by its name or its place."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from leaves(part, f"{name}.{_legal(key)}" if name else _legal(key))
    elif isinstance(value, list) and any(isinstance(part, Mapping | list) for part in value):
        for place, part in enumerate(value):
            own = part.get("name", place) if isinstance(part, Mapping) else place
            yield from leaves(part, f"{name}.{_legal(own)}")
    elif value is not None:
        yield name, value


def numbers(value: Any) -> Iterator[tuple[str, float]]:
    """The leaves that are numbers."""
    for name, leaf in leaves(value):
        if isinstance(leaf, int | float) and not isinstance(leaf, bool):
            yield name, float(leaf)


def _legal(key: object) -> str:
    return re.sub(r"[^\w\-. :/]", "_", str(key))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
