"""MLflow gets each finished run once, and what goes wrong there stays there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slim_core import api
from slim_core.runs import execute
from slim_core.runs.execute import EXPERIMENT, leaves, record
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.store import Store

NO_MLFLOW = importlib.util.find_spec("mlflow") is None
needs_mlflow = pytest.mark.skipif(NO_MLFLOW, reason="pip install mlflow-skinny")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:mlflow", "ignore::DeprecationWarning:mlflow")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch) -> Callable[[str], Workbench]:
    """A context manager: a workbench that logs to the tracker at an address."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")

    @contextmanager
    def at(uri: str) -> Iterator[Workbench]:
        store = Store.open(Settings(home=tmp_path / "home", mlflow_tracking_uri=uri))
        yield Workbench(store, InProcess(store, device="cpu"))
        store.close()

    return at


@pytest.mark.slow
@needs_mlflow
def test_a_training_is_logged_with_its_parameters_history_and_files_once(opened, demo_folder, tmp_path):
    from mlflow import MlflowClient

    uri = (tmp_path / "mlruns").as_uri()
    with opened(uri) as at:
        run = api.train(demo_folder, at=at, epochs=3, batch_size=32)
        record(at.store, run)  # again: it is there already
        client = MlflowClient(tracking_uri=uri)
        (logged,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])

        assert logged.info.status == "FINISHED" and logged.info.run_name == run.name
        assert logged.data.tags["slim.run_id"] == run.id and logged.data.tags["slim.dataset"] == "demo"
        assert logged.data.tags["slim.code_version"] == run.code_version
        assert logged.data.params["epochs"] == "3" and logged.data.params["model"] == "small-resnet"
        numbers = dict(execute.numbers(run.metrics))
        assert numbers and numbers.keys() <= logged.data.metrics.keys()
        losses = client.get_metric_history(logged.info.run_id, "train_loss")
        assert [loss.step for loss in losses] == [1, 2, 3] and all(loss.value > 0 for loss in losses)
        files = {file.path for file in client.list_artifacts(logged.info.run_id)}
        assert files >= {"metrics.json", "spec.json", "history.json"}
        assert logged.info.end_time == int(run.finished_at.timestamp() * 1000)
        evaluated = api.evaluate(run.id, at=at)
        (child,) = client.search_runs(
            [logged.info.experiment_id], filter_string=f"tags.`slim.run_id` = '{evaluated.id}'"
        )
        assert child.data.tags["slim.parents"] == f"model {run.id}"


@pytest.mark.slow
@needs_mlflow
def test_a_tracker_that_does_not_answer_is_told_in_the_log_and_the_run_is_done(opened, demo_folder):
    with opened("http://localhost:1") as at:
        run = api.train(demo_folder, at=at, epochs=1, batch_size=32)

        assert run.status == "done"
        assert "logged to MLflow" in at.store.artifacts.log(run.id).read_text()


@pytest.mark.slow
def test_without_the_package_one_sentence_says_what_to_install(opened, demo_folder, monkeypatch):
    monkeypatch.setattr(execute.importlib.util, "find_spec", lambda _name: None)
    with opened("http://localhost:1") as at:
        run = api.train(demo_folder, at=at, epochs=1, batch_size=32)

        log = at.store.artifacts.log(run.id).read_text()
        assert run.status == "done" and log.count("pip install mlflow-skinny") == 1 and "could not" not in log


def test_nested_values_get_one_name_each():
    metrics = {
        "wga": 0.5,
        "best": True,
        "groups": [{"name": "a, b", "n": 3}, {"name": "c", "n": None}],
        "sizes": [1, 2],
    }
    assert dict(execute.numbers(metrics)) == {"wga": 0.5, "groups.a_ b.n": 3.0}
    assert dict(leaves({"options": {"k": [1, 2]}, "x": None})) == {"options.k": [1, 2]}
