"""What pages change: which runs are queued, under which names, and which workers are woken for them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from app import session
from app.services import actions
from slim_core.data.importing import ToImport
from slim_core.errors import PathRefusedError
from slim_core.store import Dataset, Run
from tests.app.conftest import finish
from tests.refusals import refusal
from tests.slim_core.data.conftest import save_image


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs for which workers are woken."""
    ids: list[str] = []
    queue = SimpleNamespace(submit=lambda *runs: ids.extend(run.id for run in runs))
    monkeypatch.setattr(session, "queue", lambda: queue)
    return ids


def training(dataset: Dataset, **changes: object) -> dict[str, object]:
    return {"kind": "train", "dataset": dataset.id, "model": "small-resnet", **changes}


def submitted(dataset: Dataset) -> Run:
    return actions.submit(training(dataset), name="First")[0]


def test_a_new_step_wakes_a_worker_and_one_that_is_there_already_wakes_none(dataset: Dataset, woken: list[str]) -> None:
    run = submitted(dataset)
    assert woken == [run.id] and run.name == "First"
    again, created = actions.submit(training(dataset))
    assert (again.id, created, woken) == (run.id, False, [run.id])


def test_workers_are_woken_for_what_a_saved_run_waits_for_and_not_for_what_is_done(
    dataset: Dataset, woken: list[str]
) -> None:
    model, _ = actions.save(training(dataset))
    maps, _ = actions.save({"kind": "gradcam", "dataset": dataset.id, "model": model.id})
    assert woken == [] and actions.save(training(dataset))[1] is False
    actions.wake(maps)
    assert sorted(woken) == sorted([model.id, maps.id])
    woken.clear()
    finish(model.id, {})
    actions.wake(maps)
    assert woken == [maps.id]


def test_a_run_that_is_run_again_keeps_its_spec_and_name(dataset: Dataset, woken: list[str]) -> None:
    run = submitted(dataset)
    finish(run.id, {})
    for seed in (None, run.spec["seed"]):
        again, created = actions.run_again(run, seed=seed)
        assert created and again.id not in woken[:-1] and woken[-1] == again.id
        assert (again.spec, again.name) == (run.spec, "First")


def test_with_another_seed_it_is_named_by_that_seed_and_is_there_once(dataset: Dataset, woken: list[str]) -> None:
    run = submitted(dataset)
    seventh, created = actions.run_again(run, seed=7)
    assert created and seventh.name == "First, seed 7"
    assert seventh.spec == {**run.spec, "seed": 7}
    eighth, _ = actions.run_again(seventh, seed=8)
    assert eighth.name == "First, seed 8"
    assert actions.run_again(run, seed=7)[1] is False and woken == [run.id, seventh.id, eighth.id]


def test_images_that_are_registered_again_among_more_stay_in_their_splits(empty_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pets"

    def splits(n: int) -> dict[str, str]:
        for i in range(n):
            save_image(folder / f"{i}.png", i)
        table = pd.DataFrame(
            {"path": [f"{i}.png" for i in range(n)], "label": [("cat", "dog")[i % 2] for i in range(n)]}
        )
        table.to_csv(folder / "t.csv", index=False)
        _, dataset = actions.register(ToImport(str(folder)))
        frame = session.store().datasets.table(dataset.id).frame
        return dict(zip(frame["path"], frame["split"], strict=True))

    first, more = splits(24), splits(60)
    assert len(more) == 60 and first.items() <= more.items()


def test_what_has_errors_is_not_registered_and_its_report_says_why(empty_home: Path, tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    report, dataset = actions.register(ToImport(str(tmp_path / "pets")))
    assert dataset is None and not report.ok and session.store().datasets.all() == []


def test_where_people_sign_in_nobody_reads_the_home_by_registering_what_leads_there(
    empty_home: Path, tmp_path: Path, as_person
) -> None:
    """By its folder, by a table that names files of it, and by a table that is a link into it."""
    kept = session.store().settings.home / "runs" / "r-1"
    save_image(kept / "1.png", 1)
    save_image(kept / "2.png", 2)
    (kept / "kept.csv").write_text(f"path,label\n{kept / '1.png'},cat\n{kept / '2.png'},dog\n")
    (tmp_path / "table").mkdir()
    shutil.copy(kept / "kept.csv", tmp_path / "table" / "metadata.csv")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "metadata.csv").symlink_to(kept / "kept.csv")
    session.store().members.set_role("lea@lab.org", "lead")
    as_person("lea@lab.org")
    for asked in (kept, tmp_path / "table", tmp_path / "link"):
        for act in (actions.check, actions.register):
            with refusal(PathRefusedError, asked):
                act(ToImport(str(asked)))
    with refusal(PathRefusedError, kept):
        actions.preview_table(str(kept), None)
    assert session.store().datasets.all() == []
