"""Shapes that are drawn after the maps were made: the maps stay, the scores of the drawn images are new."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slim_core.annotation.plan import answers_by_masks
from slim_core.evaluation.comparison import Ancestry, scored_last
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, IOU
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec
from slim_core.store import Run, Store

SCORES = [IOU, AIOU, ATTENTION_PRECISION]


@pytest.fixture
def at(looped, tmp_path: Path):
    """A home of its own in which the loop has run."""
    home = Path(shutil.copytree(looped.at.store.settings.home, tmp_path / "home"))
    store = Store.open(Settings(home=home))
    yield Workbench(store, InProcess(store, device="cpu"))
    store.close()


def draw(at: Workbench, run: Run, row: int, polygons: list) -> None:
    at.store.shapes.keep(run.dataset_id, row, polygons, (32, 32), id=f"{row}-{len(polygons)}-{polygons[:1]}"[:80])


def again(at: Workbench, run: Run, **more: object) -> Run:
    spec = {key: value for key, value in run.spec.items() if key != "shapes_seq"}
    submitted, _ = at.store.runs.submit(parse_spec(spec), **more)
    return submitted if submitted.ended else at.submitter.wait(submitted)


def frame_of(at: Workbench, run: Run, name: str) -> pd.DataFrame:
    return pd.read_parquet(at.store.artifacts.folder(run.id) / name)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "file"), [("gradcam", "scores.parquet"), ("evaluate", "predictions.parquet")])
def test_only_the_drawn_images_are_scored_anew_and_as_by_a_pass_of_its_own(at, looped, kind, file):
    before = at.store.runs.all(kind=kind, status="done")[-1]
    assert not before.spec["shapes_seq"] and again(at, before).id == before.id
    was = frame_of(at, before, file)
    drawn = was["row"].tolist()[:3]
    for row in drawn:
        draw(at, before, row, [[[2, 2], [20, 2], [20, 30], [2, 30]]])

    after = again(at, before)
    assert after.id != before.id and after.metrics["reused"] == before.id
    assert after.spec["shapes_seq"] == 3 and again(at, before).id == after.id
    now, is_drawn = frame_of(at, after, file), was["row"].isin(drawn)
    assert now[~is_drawn].equals(was[~is_drawn]) and (now.loc[is_drawn, IOU] != was.loc[is_drawn, IOU]).any()

    anew = again(at, before, force=True)  # as where the images were replaced: nothing is taken over
    assert "reused" not in anew.metrics
    computed = frame_of(at, anew, file)
    np.testing.assert_allclose(now[SCORES], computed[SCORES], atol=5e-3)  # maps are kept in half precision
    for key in (*SCORES, COVERAGE):
        assert after.metrics[key] == pytest.approx(anew.metrics[key], abs=5e-3)
    assert after.metrics["n_masks"] == anew.metrics["n_masks"] == before.metrics["n_masks"]
    if kind == "evaluate":
        for one, other in zip(after.metrics["groups"], anew.metrics["groups"], strict=True):
            assert one[AIOU] == pytest.approx(other[AIOU], abs=5e-3)


def test_removed_shapes_give_the_scores_of_the_data_back(at):
    before = at.store.runs.all(kind="gradcam", status="done")[-1]
    was = frame_of(at, before, "scores.parquet")
    row = int(was["row"].iat[0])
    draw(at, before, row, [[[2, 2], [20, 2], [20, 30], [2, 30]]])
    drawn = again(at, before)
    draw(at, before, row, [])
    removed = again(at, before)
    assert removed.metrics["reused"] == drawn.id  # the newest; every earlier one would do
    np.testing.assert_allclose(frame_of(at, removed, "scores.parquet")[SCORES], was[SCORES], atol=5e-3)


def test_maps_that_were_removed_are_computed_anew(at):
    before = at.store.runs.all(kind="evaluate", status="done")[-1]
    draw(at, before, int(frame_of(at, before, "predictions.parquet")["row"].iat[0]), [[[2, 2], [20, 2], [20, 30]]])
    (at.store.artifacts.folder(before.id) / "class_maps.npy").unlink()
    assert "reused" not in again(at, before).metrics


def test_an_evaluation_without_attention_depends_on_no_shapes(at):
    before = at.store.runs.all(kind="evaluate", status="done")[-1]
    draw(at, before, 0, [[[2, 2], [20, 2], [20, 30]]])
    spec = parse_spec({**before.spec, "attention": False})
    assert at.store.runs.submit(spec)[0].spec["shapes_seq"] is None


def test_a_space_and_the_gold_of_a_campaign_take_the_scores_of_the_newest_drawing(at, looped):
    store, space = at.store, looped.loop.space
    before = store.lineage.attention_of(space)
    assert store.lineage.scored_last(before).id == before.id
    row = int(store.datasets.table(space.dataset_id).rows("train")[0])
    was = answers_by_masks(store, space, np.array([row]))
    everything, nothing = [[[0, 0], [32, 0], [32, 32], [0, 32]]], [[[0, 0], [2, 0], [0, 2]]]
    draw(at, before, row, nothing if was[row] else everything)
    assert store.lineage.scored_last(before).id == before.id  # drawn, but not scored yet
    after = again(at, before)
    assert store.lineage.attention_of(space).id == store.lineage.scored_last(before).id == after.id
    assert answers_by_masks(store, space, np.array([row])) == {row: 1 - was[row]}


def test_evaluations_that_differ_by_shapes_alone_are_one_method_and_the_newest_is_compared(at):
    before = at.store.runs.all(kind="evaluate", status="done")[-1]
    draw(at, before, int(frame_of(at, before, "predictions.parquet")["row"].iat[0]), [[[2, 2], [20, 2], [20, 30]]])
    after = again(at, before)
    every = at.store.runs.all(kind="evaluate", status="done")
    compared = {run.id for run in scored_last(every)}
    assert after.id in compared and before.id not in compared and len(compared) == len(every) - 1
    ancestry = Ancestry.read(at.store, before.dataset_id)
    assert ancestry.identity(after) == ancestry.identity(before)


def test_a_pass_whose_maps_are_there_is_not_split_into_shards(at):
    before = at.store.runs.all(kind="gradcam", status="done")[-1]
    draw(at, before, 0, [[[2, 2], [20, 2], [20, 30]]])
    at.store.runs.shard_images = 64
    plain = {key: value for key, value in before.spec.items() if key != "shapes_seq"}
    run, _ = at.store.runs.submit(parse_spec(plain))
    assert at.store.runs.shards(run.id) == []
    other, _ = at.store.runs.submit(parse_spec({**plain, "batch_size": 16}))
    assert len(at.store.runs.shards(other.id)) > 1
    anew, _ = at.store.runs.submit(parse_spec(plain), force=True)
    assert len(at.store.runs.shards(anew.id)) > 1


def test_every_shard_of_a_pass_has_the_shapes_of_the_whole(at):
    before = at.store.runs.all(kind="gradcam", status="done")[-1]
    draw(at, before, 0, [[[2, 2], [20, 2], [20, 30]]])
    at.store.runs.shard_images = 64
    spec = {**before.spec, "batch_size": 16}
    run, _ = at.store.runs.submit(parse_spec(spec))
    shards = at.store.runs.shards(run.id)
    assert len(shards) > 1 and {one.spec["shapes_seq"] for one in shards} == {run.spec["shapes_seq"]} == {1}
