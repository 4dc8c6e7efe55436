"""Backups: of one moment, while work goes on; put into an empty database of either kind."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from slim_core.errors import ConflictError
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Dataset, Store, StoreUnavailableError
from slim_core.store.backup import BackupRefusedError, back_up, restore
from slim_core.store.remote import Remote, RemoteAwayError
from tests.killed import killed_at
from tests.slim_core.store.store_makers import Worked, in_processes, train_spec
from tests.small_disk import mounted


@pytest.fixture
def target(settings: Settings, tmp_path: Path) -> Settings:
    """An empty home beside the store's, and an empty database of either kind."""
    return settings.model_copy(update={"home": tmp_path / "other"})


@pytest.fixture
def campaign(store: Store, dataset: Dataset) -> Campaign:
    return store.campaigns.create("pair", dataset.id, None, range(8), settings=CampaignSettings(overlap=2))


def answer(store: Store, campaign: Campaign, who: str, n: int, value: int | None = 1) -> str:
    items = store.campaigns.items(campaign.id)
    given = AnswerIn(f"{who}-{n}", items[n % len(items)].id, value, {"view": "overlay"}, 900)
    return store.answers.save(campaign.id, who, [given]).ids[0]


def changed(path: Path, about: dict[str, object] | None = None, without: str = "", **more: bytes) -> Path:
    """The backup with another about.json, without a member, or with more of them."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "about.json":
                content = json.dumps(json.loads(content) | (about or {})).encode()
            if name != without:
                new.writestr(name, content)
        for name, content in more.items():
            new.writestr(name, content)
    return other


def test_a_backup_holds_no_secret_of_the_settings(store: Store, tmp_path: Path) -> None:
    secret = "Zx9"
    addresses = {
        "artifacts_url": f"s3://bucket/slim?secret={secret}",
        "database_url": f"postgresql://slim:{secret}@db/slim?password={secret}",
        "redis_url": f"redis://:{secret}@redis:6379/1",
        "webhook_url": f"https://hooks.example.org/T0/{secret}",
        "public_url": (f"https://slim.example.org?key={secret}",),
        "mlflow_tracking_uri": f"https://me:{secret}@mlflow.example.org",
    }
    assert addresses.keys() == {name for name in Settings.model_fields if name.endswith(("_url", "_uri"))}
    given = store.settings.model_copy(update=addresses | {"metrics_token": SecretStr(secret)})
    back_up(replace(store, settings=given), tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        about = json.loads(archive.read("about.json"))
    assert secret not in json.dumps(about)
    assert about["settings"]["webhook_url"] == "https://hooks.example.org"
    assert about["settings"]["artifacts_url"] == "s3://bucket"
    assert about["settings"]["public_url"] == "https://slim.example.org"
    assert about["settings"]["home"] == str(store.settings.home)


def test_a_backup_that_is_there_is_replaced_only_where_that_was_asked_for(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    back_up(store, file)
    older = file.read_bytes()
    store.members.set_role("lea@example.org", "lead", by="tests")
    with pytest.raises(BackupRefusedError, match="file, or add --overw"):
        back_up(store, file)
    assert file.read_bytes() == older and list(tmp_path.glob("*.zip")) == [file]
    assert back_up(store, file, overwrite=True).rows["members"] == 1
    with zipfile.ZipFile(file) as archive:
        assert b"lea@example.org" in archive.read("tables/members.jsonl")


def test_the_files_of_runs_are_counted_without_being_fetched(
    store: Store, dataset: Dataset, finish: Callable[..., Worked], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, _ = store.runs.submit(train_spec(dataset))
    finish(run)
    sizes = store.artifacts.sizes(run.id)
    with monkeypatch.context() as patched:
        folder = {dataset.id: store.artifacts.folder(dataset.id)}  # another id is a KeyError
        patched.setattr(store.artifacts, "folder", folder.__getitem__)
        back_up(store, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        lines = [json.loads(line) for line in archive.read("artifacts.jsonl").splitlines()]
    assert {"place": f"runs/{run.id}", "files": len(sizes), "bytes": sum(sizes.values())} in lines


def test_all_is_as_it_was_and_goes_on_from_there(
    store: Store,
    target: Settings,
    dataset: Dataset,
    campaign: Campaign,
    finish: Callable[..., Worked],
    tmp_path: Path,
) -> None:
    done = finish(store.runs.submit(train_spec(dataset))[0])
    for n, value in enumerate((1, 0, -1, None)):
        answer(store, campaign, "ann", n, value)
    store.members.set_role("lea@example.org", "lead", by="tests")
    store.tags.add(dataset.id, [1, 2], "odd")
    file = tmp_path / "backup.zip"
    written = back_up(store, file)
    assert written.rows["runs"] == 1 and written.rows["answers"] == 4

    restored = restore(target, file)
    assert (restored.rows, restored.known) == (written.rows, written.known)
    assert restored.missing == (f"runs/{done.run.id}",)
    other = Store.open(target)
    assert other.runs.all() == store.runs.all()
    assert other.answers.frame(campaign.id).equals(store.answers.frame(campaign.id))
    assert other.campaigns.fetch(campaign.id) == store.campaigns.fetch(campaign.id)
    assert other.members.all() == store.members.all() and other.tags.by_row(dataset.id) == store.tags.by_row(dataset.id)
    assert other.datasets.table(dataset.id).fingerprint == dataset.fingerprint
    newest = other.answers.last_seq(campaign.id)
    answer(other, campaign, "ben", 5)
    assert other.answers.last_seq(campaign.id) > newest
    other.close()


def test_what_people_know_of_is_counted_no_shard_and_nothing_that_was_deleted(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    model = finish(store.runs.submit(train_spec(dataset))[0]).run
    with closing(Store.open(store.settings)) as many:
        many.runs.shard_images = 20
        many.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id, batch_size=4))
    store.runs.delete(store.runs.submit(train_spec(dataset, seed=1))[0].id)
    for known in (back_up(store, tmp_path / "backup.zip"), restore(target, tmp_path / "backup.zip")):
        assert known.rows["runs"] == 6 and known.known == {"runs": 2, "campaigns": 0, "answers": 0}


def test_the_files_of_runs_go_along_where_asked_for(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    done = finish(store.runs.submit(train_spec(dataset))[0])
    (done.folder / "deep").mkdir()
    (done.folder / "deep" / "weights.bin").write_bytes(b"w" * 1_000)
    back_up(store, tmp_path / "backup.zip", artifacts=True)
    assert restore(target, tmp_path / "backup.zip").missing == ()
    other = Store.open(target)
    assert (other.artifacts.folder(done.run.id) / "deep" / "weights.bin").read_bytes() == b"w" * 1_000
    other.close()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_the_files_go_into_the_folder_of_the_artifacts_where_they_have_one_of_their_own(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path, scheme: str
) -> None:
    done = finish(store.runs.submit(train_spec(dataset))[0]).run
    there = target.model_copy(update={"artifacts_url": f"{scheme}{tmp_path / 'shared'}"})
    back_up(store, tmp_path / "with.zip", artifacts=True)
    back_up(store, tmp_path / "without.zip")
    assert restore(there, tmp_path / "with.zip").missing == ()
    with closing(Store.open(there)) as other:
        assert (other.artifacts.folder(done.id) / "out.txt").read_text() == "made"
        assert other.datasets.table(dataset.id).fingerprint == dataset.fingerprint


def test_behind_a_url_the_files_are_put_back_and_what_is_there_stays(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    here, gone, back = (finish(store.runs.submit(train_spec(dataset, seed=seed))[0]) for seed in range(3))
    back_up(store, tmp_path / "backup.zip", artifacts=True)
    shutil.copytree(here.folder, tmp_path / "newer")
    (tmp_path / "newer" / "out.txt").write_text("later")
    remote = Remote(address := f"memory://{tmp_path.name}")
    remote.upload(tmp_path / "newer", f"runs/{here.run.id}", 2)
    without(tmp_path / "backup.zip", f"runs/{gone.run.id}/")
    there = target.model_copy(update={"artifacts_url": address})
    assert restore(there, tmp_path / "backup.zip").missing == (f"runs/{gone.run.id}",)
    assert not list((there.home / "work").iterdir())
    with closing(Store.open(there)) as other:
        kept = [(other.artifacts.folder(one.run.id) / "out.txt").read_text() for one in (here, back)]
        assert kept == ["later", "made"]
        assert other.datasets.table(dataset.id).fingerprint == dataset.fingerprint


def without(archive: Path, folder: str) -> None:
    """Take the files of a folder out of an archive."""
    with zipfile.ZipFile(archive) as whole:
        left = {name: whole.read(name) for name in whole.namelist() if not name.startswith(folder)}
    with zipfile.ZipFile(archive, "w") as part:
        for name, content in left.items():
            part.writestr(name, content)


def test_a_restore_while_the_artifacts_are_away_is_done_again_once_they_are_back(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(store, tmp_path / "backup.zip")
    there = target.model_copy(update={"artifacts_url": f"memory://{tmp_path.name}"})

    def away(*_: object) -> None:
        raise RemoteAwayError("cannot be reached")

    with monkeypatch.context() as patched, pytest.raises(RemoteAwayError):
        patched.setattr(Remote, "upload", away)
        restore(there, tmp_path / "backup.zip")
    assert restore(there, tmp_path / "backup.zip").missing == ()
    with closing(Store.open(there)) as other:
        assert other.datasets.table(dataset.id).fingerprint == dataset.fingerprint


def test_files_that_are_missing_from_the_folder_of_the_artifacts_are_named(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    done = finish(store.runs.submit(train_spec(dataset))[0]).run
    back_up(store, tmp_path / "backup.zip")
    there = target.model_copy(update={"artifacts_url": str(tmp_path / "shared")})
    assert restore(there, tmp_path / "backup.zip").missing == (f"runs/{done.id}",)


def test_a_restore_that_was_killed_among_the_files_is_done_by_the_next(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    done = [finish(store.runs.submit(train_spec(dataset, seed=seed))[0]) for seed in range(3)]
    back_up(store, tmp_path / "backup.zip", artifacts=True)
    folders = [f".{one.run.id}.restored" for one in done]
    killed_at(
        "os.rename",
        lambda source, *_: Path(source).name == folders[1],
        lambda: restore(target, tmp_path / "backup.zip"),
    )
    assert (target.home / "runs" / folders[1]).is_dir()  # half of it is there

    restored = restore(target, tmp_path / "backup.zip")
    assert restored.missing == () and restored.rows["runs"] == 3
    with closing(Store.open(target)) as other:
        assert [(other.artifacts.folder(one.run.id) / "out.txt").read_text() for one in done] == ["made"] * 3
    assert sorted(path.name for path in (target.home / "runs").iterdir()) == sorted(one.run.id for one in done)


def test_a_restore_onto_a_full_disk_is_said_and_is_done_again_once_there_is_space(
    store: Store, target: Settings, dataset: Dataset, finish: Callable[..., Worked], tmp_path: Path
) -> None:
    done = [finish(store.runs.submit(train_spec(dataset, seed=seed))[0]) for seed in range(3)]
    for one in done:
        (one.folder / "weights.bin").write_bytes(b"w" * 2_000_000)
    back_up(store, tmp_path / "backup.zip", artifacts=True)
    with mounted(tmp_path / "small-disk", 5) as disk:
        there = target.model_copy(update={"home": disk / "home"})
        with pytest.raises(StoreUnavailableError, match=f"{disk / 'home'}.*"):
            restore(there, tmp_path / "backup.zip")
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert restore(there, tmp_path / "backup.zip").missing == ()


@pytest.mark.slow
def test_every_answer_that_was_acknowledged_before_is_there_and_all_is_of_one_moment(
    store: Store, target: Settings, campaign: Campaign, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    ending = threading.Event()

    def annotate() -> None:
        n = 0
        while not ending.is_set():
            acknowledged.append(answer(store, campaign, "ann", n, (1, 0, -1)[n % 3]))
            n += 1

    annotator = threading.Thread(target=annotate)
    annotator.start()
    try:
        while len(acknowledged) < 10:
            ending.wait(0.01)
        before = list(acknowledged)
        back_up(store, tmp_path / "backup.zip")
    finally:
        ending.set()
        annotator.join()
    restore(target, tmp_path / "backup.zip")
    other = Store.open(target)
    kept = other.answers.frame(campaign.id)
    assert set(before) <= set(kept["id"])
    last = kept.sort_values("seq").groupby("item_id")["value"].last()
    rows = {item.id: item.row for item in other.campaigns.items(campaign.id)}
    stands = {rows[item]: int(value) for item, value in last.items()}
    assert other.answers.current(campaign.id) == stands  # what the answers add up to is of the same moment
    other.close()


def test_a_database_that_holds_something_is_left_alone(store: Store, dataset: Dataset, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup.zip")
    with pytest.raises(ConflictError, match="holds datasets, events: name an empty"):
        restore(store.settings, tmp_path / "backup.zip")
    assert [one.id for one in store.datasets.all()] == [dataset.id]


def test_of_two_restores_at_once_one_is_refused_in_a_sentence(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path
) -> None:
    back_up(store, tmp_path / "backup.zip")
    Store.open(target).close()

    def put_back(_number: int) -> object:
        try:
            return restore(target, tmp_path / "backup.zip").rows["datasets"]
        except ConflictError as error:
            return str(error)

    refused, restored = sorted(in_processes(2, put_back), key=str, reverse=True)
    assert restored == 1 and "holds datasets, events: name an empty" in str(refused)


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"schema": "0017"}, "schema 0017.*slim answers export"),
        ({"format": "other"}, "of this kind"),
        ({"rows": {}}, "damaged: rows that"),
    ],
)
def test_what_cannot_be_put_back_is_refused(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path, about: dict[str, object], sentence: str
) -> None:
    back_up(store, tmp_path / "backup.zip")
    with pytest.raises(BackupRefusedError, match=sentence):
        restore(target, changed(tmp_path / "backup.zip", about))
    other = Store.open(target)
    assert other.datasets.all() == []  # all or nothing
    other.close()


def test_a_file_that_is_not_there_is_said_to_be_missing(target: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupRefusedError, match="no file .*none\\.zip: name one that"):
        restore(target, tmp_path / "none.zip")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_backup_is_refused(target: Settings, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "backup.zip").write_bytes(content)
    with pytest.raises(BackupRefusedError, match="not a backup"):
        restore(target, tmp_path / "backup.zip")


def test_a_backup_in_which_a_byte_was_changed_is_refused(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    back_up(store, file)
    with zipfile.ZipFile(file) as archive:
        header = archive.getinfo("tables/datasets.jsonl").header_offset
    content = bytearray(file.read_bytes())
    start = header + 30 + sum(int.from_bytes(content[header + at : header + at + 2], "little") for at in (26, 28))
    content[start] ^= 0xFF  # the first of the compressed rows
    file.write_bytes(content)
    with pytest.raises(BackupRefusedError, match=r"backup\.zip is damaged \(.*\): take another backup"):
        restore(target, file)


def test_a_backup_without_its_list_of_files_is_refused_before_the_database_holds_anything(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path
) -> None:
    back_up(store, tmp_path / "backup.zip")
    with pytest.raises(BackupRefusedError, match="is damaged"):
        restore(target, changed(tmp_path / "backup.zip", without="artifacts.jsonl"))
    assert restore(target, tmp_path / "backup.zip").missing == ()


def test_a_run_that_is_deleted_while_its_files_are_read_is_not_put_back_by_halves(
    store: Store,
    target: Settings,
    dataset: Dataset,
    finish: Callable[..., Worked],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    done = finish(store.runs.submit(train_spec(dataset))[0])
    (done.folder / "weights.bin").write_bytes(b"w")
    write = zipfile.ZipFile.write

    def deleted_meanwhile(archive: zipfile.ZipFile, file: Path, name: str) -> None:
        if file.name == "weights.bin":
            store.runs.delete(done.run.id)
        write(archive, file, name)

    monkeypatch.setattr(zipfile.ZipFile, "write", deleted_meanwhile)
    back_up(store, tmp_path / "backup.zip", artifacts=True)
    restore(target, tmp_path / "backup.zip")
    assert not (target.home / "runs" / done.run.id).exists()
    with closing(Store.open(target)) as other:
        assert other.datasets.table(dataset.id).fingerprint == dataset.fingerprint


def test_a_backup_whose_list_of_members_is_damaged_is_refused(
    store: Store, target: Settings, dataset: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    back_up(store, file)
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 151  # the version of zip that is needed
    file.write_bytes(content)
    with pytest.raises(BackupRefusedError, match="a backup \\(zip file version 15\\.1\\)"):
        restore(target, file)


def test_no_member_leaves_the_home(store: Store, target: Settings, dataset: Dataset, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup.zip")
    evil = {"runs/r-x/../../../evil": b"x", "/tmp/evil": b"x", "runs/R/../x": b"x", "datasets/d-y//evil": b"x"}
    places = ("runs/r-x", "runs/R", "runs", "/tmp", "datasets/d-y", "..")
    listed = "\n".join(json.dumps({"place": place}) for place in places).encode()
    restore(target, changed(tmp_path / "backup.zip", None, "artifacts.jsonl", **evil, **{"artifacts.jsonl": listed}))
    assert not list(tmp_path.rglob("evil")) and not (target.home / "runs").exists()
