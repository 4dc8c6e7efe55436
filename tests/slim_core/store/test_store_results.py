"""Results of finished runs, read in one place: what is large stays on disk, also behind a URL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slim_core import result_files
from slim_core.errors import NotFoundError
from slim_core.store.artifacts import Artifacts
from slim_core.store.results import LABEL, PREDICTED, AttentionResult, EvaluationResult, Maps, training_history

ROWS = np.array([3, 5, 8])
LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0])  # of all images


def left_by_a_pass(folder: Path) -> Path:
    """Rows 3, 5 and 8: maps of the label, of every class, logits, features and scores."""
    np.save(folder / result_files.ROWS, ROWS)
    np.save(folder / result_files.MAPS, np.arange(12, dtype=np.float16).reshape(3, 2, 2))
    np.save(folder / result_files.CLASS_MAPS, np.arange(24, dtype=np.float16).reshape(3, 2, 2, 2) + 100)
    np.save(folder / result_files.LOGITS, np.array([[2, 1], [2, 1], [1, 2]], np.float32))
    np.save(folder / result_files.FEATURES["environment"], np.eye(3, dtype=np.float16))
    pd.DataFrame({"row": ROWS, "prediction": [0, 0, 1]}).to_parquet(folder / result_files.SCORES)
    return folder


def test_an_attention_pass_is_read_by_row(tmp_path):
    seen = AttentionResult(left_by_a_pass(tmp_path))
    assert seen.has_maps and seen.rows.tolist() == [3, 5, 8]
    assert seen.map_of(5).tolist() == [[4, 5], [6, 7]] and seen.map_of(4) is None
    assert seen.features("environment", np.array([2])).tolist() == [[0, 0, 1]]
    assert seen.scores(["prediction"])["prediction"].tolist() == [0, 0, 1]
    assert isinstance(seen.logits, np.memmap)


def test_maps_are_given_by_class_and_stay_on_disk(tmp_path):
    maps = Maps.open("r", left_by_a_pass(tmp_path), LABEL, LABELS)
    assert maps.classes == (LABEL, PREDICTED, "0", "1")
    assert isinstance(maps.files[LABEL], np.memmap) and isinstance(maps.of_classes, np.memmap)
    assert maps.of(5, LABEL).tolist() == [[4, 5], [6, 7]]
    assert maps.of(5, PREDICTED).tolist() == maps.of(5, "0").tolist() == [[108, 109], [110, 111]]
    with pytest.raises(NotFoundError, match="map of image 4"):
        maps.of(4, LABEL)
    with pytest.raises(NotFoundError, match="map of the 7 class"):
        maps.of(5, "7")


def test_a_pass_without_maps_says_so(tmp_path):
    np.save(tmp_path / result_files.ROWS, ROWS)
    assert not AttentionResult(tmp_path).has_maps
    with pytest.raises(NotFoundError, match="Run r has no attention"):
        Maps.open("r", tmp_path, LABEL, LABELS)


@pytest.mark.parametrize("url", [None, "memory://results"])
def test_results_are_read_behind_a_url_as_from_this_machine(tmp_path, url):
    writer = Artifacts(tmp_path / "there", url)
    left_by_a_pass(writer.attempt("run-1", 1))
    writer.publish("run-1", 1)
    reader = Artifacts(tmp_path / ("here" if url else "there"), url)
    assert AttentionResult(reader.folder("run-1")).map_of(8).tolist() == [[8, 9], [10, 11]]


def test_predictions_that_were_removed_are_named_with_their_run(tmp_path):
    (tmp_path / "eval-1").mkdir()
    with pytest.raises(NotFoundError, match="predictions of eval-1 are missing .*evaluate its"):
        EvaluationResult(tmp_path / "eval-1").predictions()


def test_a_history_is_read_while_the_training_runs_and_afterwards(tmp_path):
    artifacts = Artifacts(tmp_path)
    assert training_history(artifacts, "run-1") == []
    (artifacts.checkpoints("run-1") / result_files.HISTORY).write_text(json.dumps([{"epoch": 1}]))
    assert training_history(artifacts, "run-1") == [{"epoch": 1}]
    (artifacts.attempt("run-1", 1) / result_files.HISTORY).write_text(json.dumps([{"epoch": 1}, {"epoch": 2}]))
    artifacts.publish("run-1", 1)
    assert training_history(artifacts, "run-1") == [{"epoch": 1}, {"epoch": 2}]
