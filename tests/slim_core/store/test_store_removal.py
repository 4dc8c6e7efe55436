"""Removing a data set: with all that rests on it, never a user's image, and never under a run that is on its way."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from slim_core.errors import ConflictError, NotFoundError
from slim_core.steps.specs import GradcamSpec
from slim_core.store import AnswerIn, Dataset, Store, StoreUnavailableError
from slim_core.store import removal as module
from slim_core.store.removal import Removals
from slim_core.store.runs.rows import Run
from slim_core.store.runs.runs import RunFilter
from tests.killed import killed_at
from tests.slim_core.store.store_makers import image_table, imported, in_threads, train_spec


def test_all_that_rests_on_it_goes_and_its_images_stay(store: Store, dataset: Dataset, finish, tmp_path: Path):
    image = tmp_path / "images" / "0.png"
    image.write_text("pixels")
    run = finish(store.runs.submit(train_spec(dataset))[0]).run
    campaign = store.campaigns.create("look", dataset.id, None, [0, 1])
    item = store.campaigns.items(campaign.id)[0]
    store.answers.save(campaign.id, "ann", [AnswerIn("a-1", item.id, 1, duration_ms=6000)])
    going = store.removals.preview(dataset.id)
    assert (going.n_runs, going.n_campaigns, going.cost.votes, going.unpacks) == (1, 1, 1, False)
    assert (
        going.n_bytes > 0 and "1 run, 1 campaign with 1 image (2.5\u00a0%), 1 vote, 0.1 min, and " in going.in_words()
    )
    store.removals.remove(dataset.id, by="lea")
    assert store.datasets.all() == [] and store.campaigns.all() == [] and store.runs.all() == []
    assert store.history.count(RunFilter()) == 0
    assert image.read_text() == "pixels"
    for place in (*store.artifacts.places(run.id), *store.artifacts.places(dataset.id)):
        assert not place.exists()
    (event,) = store.events.recent(1)
    assert (event.what, event.who, event.subject) == ("dataset.removed", "lea", dataset.id)
    assert event.details == {"name": "digits", "runs": 1, "campaigns": 1, "answers": 1}


def test_what_was_removed_is_called_so_wherever_it_is_asked_for(store: Store, dataset: Dataset, finish):
    run = finish(store.runs.submit(train_spec(dataset))[0]).run
    campaign = store.campaigns.create("look", dataset.id, None, [0])
    item = store.campaigns.items(campaign.id)[0]
    store.removals.remove(dataset.id)
    asked = {
        "data set digits .* was removed on .*: choose another": lambda: store.datasets.fetch(dataset.id),
        "was removed": lambda: store.datasets.table_of(dataset),
        "campaign look was removed": lambda: store.campaigns.fetch(campaign.id),
        "campaign look was": lambda: store.answers.save(campaign.id, "ann", [AnswerIn("a-1", item.id, 1)]),
        "campaign look": lambda: store.assignments.assign(campaign.id, "ann", 1, "tab").items,
        "data set digits on": lambda: store.runs.fetch(run.id),
        "was removed on": lambda: store.tags.add(dataset.id, [0], "odd"),
        "no data set": lambda: store.runs.submit(train_spec(dataset, seed=3)),
        dataset.id: lambda: store.notes.write(dataset.id, name="new", text="", tags=()),
    }
    for sentence, ask in asked.items():
        with pytest.raises(NotFoundError, match=sentence):
            ask()
    assert store.datasets.removal_of(dataset.id) and store.datasets.removal_of("d-none") is None


def test_it_is_refused_while_a_run_waits_or_works_and_nothing_is_changed(store: Store, dataset: Dataset):
    run, _ = store.runs.submit(train_spec(dataset))
    for _ in ("queued", "running"):
        for refused in (store.removals.preview, store.removals.remove):
            with pytest.raises(ConflictError, match=rf"digits has 1 run queued or running \({run.id}\): stop or await"):
                refused(dataset.id)
        if store.runs.fetch(run.id).status == "queued":
            store.attempts.claim(run.id, "worker-1", "cpu")
    assert store.datasets.all() == [dataset] and store.runs.find(run.id) is not None
    assert store.datasets.table(dataset.id).name == "digits"


def test_it_is_refused_until_the_last_shard_of_a_stopped_run_has_ended(store: Store, dataset: Dataset, finish):
    many = Store.open(store.settings)
    many.runs.shard_images = 20
    model = finish(many.runs.submit(train_spec(dataset))[0]).run
    whole = many.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id, batch_size=4))[0]
    shard = many.runs.shards(whole.id)[0]
    token = many.attempts.claim(shard.id, "worker-1", "cpu")
    assert many.attempts.request_stop(whole.id).status == "canceled" and many.attempts.stop_requested(shard.id)
    for refused in (many.removals.preview, many.removals.remove):
        with pytest.raises(ConflictError, match=rf"digits has 1 run queued or running \({whole.id}\): stop or await"):
            refused(dataset.id)
    many.attempts.cancel(shard.id, token)
    many.removals.remove(dataset.id)
    assert many.datasets.all() == []
    many.close()


def test_of_a_removal_and_a_run_at_once_one_wins_and_nothing_is_left_half(store: Store, tmp_path: Path):
    for seed in range(6):
        dataset = store.datasets.register(imported(image_table(tmp_path / "images", seed=seed)))

        def do(k: int, dataset: Dataset = dataset) -> object:
            try:
                return store.removals.remove(dataset.id) if k else store.runs.submit(train_spec(dataset))[0]
            except (ConflictError, NotFoundError) as error:
                return error

        submitted, removed = in_threads(2, do)
        assert isinstance(submitted, Run) != isinstance(removed, Dataset), (submitted, removed)
        assert (store.datasets.find(dataset.id) is None) == isinstance(removed, Dataset)
        assert (len(store.runs.all(dataset=dataset.id)) == 1) == isinstance(submitted, Run)


def test_an_upload_goes_with_the_last_data_set_that_shows_it(store: Store):
    folder = store.settings.home / "uploads" / "0123abcd" / "pets"
    first = store.datasets.register(imported(image_table(folder / "a")))
    second = store.datasets.register(imported(image_table(folder / "b", name="b")))
    store.removals.remove(first.id)
    assert folder.is_dir(), "the second still shows it"
    assert store.removals.preview(second.id).unpacks
    store.removals.remove(second.id)
    assert not folder.parent.exists() and folder.parent.parent.is_dir()


def test_images_out_of_arrow_files_go_unless_another_data_set_shows_them(store: Store, tmp_path: Path):
    written = store.settings.home.resolve() / "imported" / "ab"
    written.mkdir(parents=True)
    files = [written / f"{n}.png" for n in range(3)]
    for each in files:
        each.write_text("pixels")

    def of(name: str, shown: list[Path]) -> Dataset:
        table = image_table(tmp_path / name, name=name)
        paths = [*map(str, shown), *table.frame["path"][len(shown) :]]
        return store.datasets.register(imported(replace(table, frame=table.frame.assign(path=paths))))

    first, second = of("first", files[:2]), of("second", files[1:])
    store.removals.remove(first.id)
    assert [each.exists() for each in files] == [False, True, True]
    shutil.rmtree(store.artifacts.folder(second.id))
    store.removals.remove(second.id)
    assert files[2].exists(), "without its table nobody can say whose images those are"


def test_a_removal_that_could_not_remove_the_files_says_so_and_the_next_one_does(
    store: Store, dataset: Dataset, finish, monkeypatch: pytest.MonkeyPatch
):
    worked = finish(store.runs.submit(train_spec(dataset))[0])

    def refuse(_folder: Path) -> None:
        raise StoreUnavailableError("It cannot be removed (Permission denied): check its permissions.")

    with monkeypatch.context() as patch:
        patch.setattr("slim_core.store.artifacts.discard", refuse)
        patch.setattr(module, "discard", refuse)
        with pytest.raises(StoreUnavailableError, match=f"removed, but .* `slim delete {dataset.id}`"):
            store.removals.remove(dataset.id)
    assert store.datasets.all() == [] and worked.folder.exists()
    store.removals.remove(dataset.id)
    assert not worked.folder.exists()
    assert [event.what for event in store.events.recent()].count("dataset.removed") == 1


@pytest.mark.parametrize("of", ["data set", "run"])
def test_what_a_killed_removal_left_on_the_disk_goes_when_workers_start(
    store: Store, dataset: Dataset, finish, of: str
):
    runs = [finish(store.runs.submit(train_spec(dataset, seed=seed))[0]).run for seed in range(3)]
    kept = store.datasets.register(imported(image_table(store.settings.home / "kept")))
    stays = finish(store.runs.submit(train_spec(kept))[0])
    remove = {
        "data set": lambda: store.removals.remove(dataset.id),
        "run": lambda: store.runs.delete(runs[0].id),
    }
    killed_at("os.remove", lambda path, *_: "out.txt" in str(path), remove[of])  # one run is out of sight, half removed
    (half,) = (store.settings.home / "runs").glob(".*gone*")
    assert (half / "out.txt").exists()

    store.removals.finish()
    gone = runs if of == "data set" else runs[:1]
    left = sorted(path.name for path in (store.settings.home / "runs").iterdir())
    assert left == sorted(run.id for run in [*runs, stays.run] if run not in gone)
    assert sorted(path.name for path in (store.settings.home / "datasets").iterdir()) == sorted(
        one.id for one in store.datasets.all()
    )
    assert not list((store.settings.home / "work").iterdir())


def test_what_a_run_that_was_killed_once_it_was_done_has_left_goes_when_workers_start(
    store: Store, dataset: Dataset, finish
):
    run = store.runs.submit(train_spec(dataset))[0]
    killed_at("os.rename", lambda source, *_: Path(source).match(f"work/{run.id}"), lambda: finish(run))
    published, work = store.artifacts.places(run.id)
    assert store.runs.fetch(run.id).status == "done" and work.exists()
    stopped = store.runs.submit(train_spec(dataset, seed=1))[0]
    checkpoints = store.artifacts.checkpoints(stopped.id)
    store.attempts.request_stop(stopped.id)

    store.removals.finish()
    assert not work.exists() and (published / "out.txt").exists()
    assert checkpoints.exists()  # it may be retried


def test_results_that_made_way_for_an_attempt_that_was_killed_are_back_when_workers_start(
    store: Store, dataset: Dataset, finish
):
    folder = finish(store.runs.submit(train_spec(dataset))[0]).folder
    folder.rename(folder.with_name(f".{folder.name}.taken-1"))
    store.removals.finish()
    assert (folder / "out.txt").exists() and list(folder.parent.iterdir()) == [folder]


def test_results_that_a_killed_merge_has_left_of_its_shards_go_when_workers_start(
    store: Store, dataset: Dataset, finish
):
    many = Store.open(store.settings)
    many.runs.shard_images = 20
    model = finish(many.runs.submit(train_spec(dataset))[0]).run
    whole, unmerged = (
        many.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id, batch_size=size))[0] for size in (4, 5)
    )
    parts, needed = ([finish(shard).folder for shard in many.runs.shards(one.id)] for one in (whole, unmerged))
    many.close()
    killed_at("os.remove", lambda path, *_: Path(path).parent == parts[1], lambda: finish(whole))
    assert [sorted(path.name for path in part.iterdir()) for part in parts[:2]] == [
        ["published.json"], ["out.txt", "published.json"],
    ]  # fmt: skip

    store.removals.finish()
    assert [[path.name for path in part.iterdir()] for part in parts] == [["published.json"]] * len(parts)
    assert all((part / "out.txt").exists() for part in needed)


REGISTRATIONS = {  # when a kill strikes -> by which event it is known
    "before the table is in its place": ("os.rename", lambda _, target, *__: "/datasets/d-" in str(target)),
    "before its row": ("tests.row", lambda: True),
    "after its row": ("os.rename", lambda source, *_: Path(source).match("work/d-*")),
}


@pytest.mark.parametrize("moment", REGISTRATIONS)
def test_what_a_killed_registration_left_on_the_disk_goes_when_workers_start(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
):
    table, kept = (imported(image_table(tmp_path / name)) for name in ("images", "kept"))
    store.datasets.register(kept)

    def register() -> None:
        monkeypatch.setattr(store.datasets, "_insert", partial(_row, store.datasets._insert))
        store.datasets.register(table)

    event, is_it = REGISTRATIONS[moment]
    killed_at(event, is_it, register)
    before = _of_data_sets(store)
    assert len(before) == (2 if moment == "before the table is in its place" else 3)

    store.removals.finish()
    assert _of_data_sets(store) == before  # it might be under way on a machine without locks
    os.utime(next((store.settings.home / "work").iterdir()), (0, 0))
    store.removals.finish()
    assert _of_data_sets(store) == sorted(f"datasets/{one.id}" for one in store.datasets.all())
    again = store.datasets.register(table)
    assert store.datasets.table(again.id).fingerprint == again.fingerprint
    assert len(store.datasets.all()) == 2 and len(_of_data_sets(store)) == 2


def test_a_registration_that_is_under_way_is_left_alone_however_long_it_takes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    insert = store.datasets._insert

    def slow(*given: object) -> None:
        for path in (store.settings.home / "work").iterdir():
            os.utime(path, (0, 0))
        in_threads(1, lambda _: Removals.finish(store.removals))
        insert(*given)

    monkeypatch.setattr(store.datasets, "_insert", slow)
    one = store.datasets.register(imported(image_table(tmp_path / "images")))
    assert store.datasets.table(one.id).fingerprint == one.fingerprint
    assert _of_data_sets(store) == [f"datasets/{one.id}"]


@pytest.mark.parametrize("raised", [StoreUnavailableError("disk of the database is full."), KeyboardInterrupt()])
def test_a_registration_that_the_database_refuses_or_that_is_interrupted_leaves_no_table(
    raised: BaseException, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise raised

    monkeypatch.setattr(store.datasets, "_insert", refuse)
    with pytest.raises(type(raised)):
        store.datasets.register(imported(image_table(tmp_path / "images")))
    assert not _of_data_sets(store)


def test_tables_that_the_database_does_not_know_stay(store: Store, dataset: Dataset):
    """As where SLIM_DATABASE_URL names an empty database before a backup is put back."""
    others = store.settings.home / "datasets" / "d-other"
    shutil.copytree(store.artifacts.folder(dataset.id), others)
    os.utime(others, (0, 0))
    store.removals.finish()
    assert others.is_dir()


def test_only_what_is_on_the_disk_is_looked_up_of_all_that_was_ever_deleted(
    store: Store, dataset: Dataset, finish, monkeypatch: pytest.MonkeyPatch
):
    for seed in range(3):
        store.runs.delete(finish(store.runs.submit(train_spec(dataset, seed=seed))[0]).run.id)
    looked_at: list[str] = []
    places = store.artifacts.places
    monkeypatch.setattr(store.artifacts, "places", lambda run_id: looked_at.append(run_id) or places(run_id))
    store.removals.finish()
    assert not [run_id for run_id in looked_at if run_id.startswith("r-")]


def _row(insert: Callable[..., None], *given: object) -> None:
    sys.audit("tests.row")
    insert(*given)


def _of_data_sets(store: Store) -> list[str]:
    """Folders of tables and of drafts, as "datasets/d-..." and "work/d-..."."""
    found = [path for area in ("datasets", "work") for path in (store.settings.home / area).glob("*")]
    return sorted(path.relative_to(store.settings.home).as_posix() for path in found)


def test_what_never_was_cannot_be_removed(store: Store):
    for refused in (store.removals.preview, store.removals.remove):
        with pytest.raises(NotFoundError, match="no data set d-none"):
            refused("d-none")


def test_the_same_folder_is_registered_anew_after_a_removal(store: Store, dataset: Dataset, tmp_path: Path):
    store.removals.remove(dataset.id)
    again = store.datasets.register(imported(image_table(tmp_path / "images")))
    assert again.id != dataset.id
    assert store.datasets.versions(again) == [again]
