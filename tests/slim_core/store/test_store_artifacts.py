"""Artifacts: published as a whole, by the latest attempt, locally or behind a URL."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from slim_core.errors import NotFoundError, PathRefusedError, RunLostError
from slim_core.store import StoreUnavailableError
from slim_core.store import artifacts as store_artifacts
from slim_core.store.artifacts import Artifacts, confined, ids_in, put_back
from slim_core.store.remote import Remote
from tests.killed import killed_at


def written(artifacts: Artifacts, run_id: str, attempt: int, text: str) -> None:
    """Leave a file and one in a folder, as a step does."""
    folder = artifacts.attempt(run_id, attempt)
    (folder / "out.txt").write_text(text)
    (folder / "deep").mkdir()
    (folder / "deep" / "more.txt").write_text(text)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """Artifacts of a local home."""
    return Artifacts(tmp_path)


def test_nothing_is_seen_before_it_is_published(artifacts: Artifacts, tmp_path: Path):
    written(artifacts, "r-1", 1, "one")
    assert not artifacts.has("r-1", "out.txt")
    with pytest.raises(NotFoundError, match="no artifacts of r-1: it has not"):
        artifacts.folder("r-1")
    assert artifacts.publish("r-1", 1) == tmp_path / "runs" / "r-1" == artifacts.folder("r-1")
    assert artifacts.has("r-1", "out.txt") and not artifacts.has("r-1", "other.txt")
    assert (artifacts.folder("r-1") / "deep" / "more.txt").read_text() == "one"


def test_a_later_attempt_replaces_an_earlier_one_and_never_the_other_way_round(artifacts: Artifacts):
    written(artifacts, "r-1", 1, "one")
    written(artifacts, "r-1", 2, "two")
    written(artifacts, "r-1", 3, "three")
    artifacts.publish("r-1", 2)
    with pytest.raises(RunLostError, match="later attempt"):
        artifacts.publish("r-1", 1)
    assert (artifacts.folder("r-1") / "out.txt").read_text() == "two"
    artifacts.publish("r-1", 3)
    assert (artifacts.folder("r-1") / "out.txt").read_text() == "three"


@pytest.fixture
def overtaken(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """Publishes attempt 2, which is suspended after it has seen that attempt 1 makes way; meanwhile 3 is done."""
    for attempt, text in enumerate(("one", "two", "three"), 1):
        written(artifacts, "r-1", attempt, text)
    artifacts.publish("r-1", 1)
    look, looks = store_artifacts._published, list[int]()

    def suspended(folder: Path) -> int:
        found = look(folder)
        looks.append(found)
        if len(looks) == 2:  # the first is before anything is done
            monkeypatch.setattr(store_artifacts, "_published", look)
            artifacts.publish("r-1", 3)
            artifacts.tidy("r-1")
        return found

    monkeypatch.setattr(store_artifacts, "_published", suspended)
    return lambda: artifacts.publish("r-1", 2)


def test_an_attempt_that_is_suspended_as_it_replaces_an_earlier_one_takes_nothing_from_a_later_one(
    artifacts: Artifacts, overtaken: Callable[[], object], tmp_path: Path
):
    with pytest.raises(RunLostError, match="later attempt"):
        overtaken()
    assert (artifacts.folder("r-1") / "out.txt").read_text() == "three"
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["r-1"]


def test_what_such_an_attempt_had_in_its_hands_when_it_was_killed_is_put_back(
    artifacts: Artifacts, overtaken: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    killed_at("os.rename", lambda source, *_: Path(source).name.startswith(".r-1."), overtaken)
    monkeypatch.undo()
    assert not artifacts.has("r-1", "out.txt")
    put_back(tmp_path / "runs")
    assert (artifacts.folder("r-1") / "out.txt").read_text() == "three"
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["r-1"]


def test_what_made_way_for_an_attempt_that_is_there_goes(artifacts: Artifacts, tmp_path: Path):
    for attempt, text in enumerate(("one", "two"), 1):
        written(artifacts, "r-1", attempt, text)
    artifacts.publish("r-1", 1)
    killed_at(
        "shutil.rmtree", lambda path, *_: Path(path).name.startswith(".r-1."), lambda: artifacts.publish("r-1", 2)
    )
    assert len(list((tmp_path / "runs").iterdir())) == 2
    put_back(tmp_path / "runs")
    assert (artifacts.folder("r-1") / "out.txt").read_text() == "two"
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["r-1"]


def test_an_attempt_that_is_done_once_more_replaces_what_it_published(artifacts: Artifacts, tmp_path: Path):
    for text in ("one", "once more"):
        written(artifacts, "r-1", 1, text)
        assert (artifacts.publish("r-1", 1) / "out.txt").read_text() == text
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["r-1"]


def test_an_attempt_that_does_not_exist_is_not_published(artifacts: Artifacts):
    with pytest.raises(NotFoundError, match="no attempt 4"):
        artifacts.publish("r-1", 4)


def test_tidying_keeps_what_was_published_and_removing_leaves_nothing(artifacts: Artifacts, tmp_path: Path):
    written(artifacts, "r-1", 1, "one")
    (artifacts.checkpoints("r-1") / "epoch.json").write_text("{}")
    artifacts.publish("r-1", 1)
    artifacts.tidy("r-1")
    assert artifacts.has("r-1", "out.txt") and list((tmp_path / "work").iterdir()) == []
    written(artifacts, "r-2", 1, "other")
    artifacts.publish("r-2", 1)
    artifacts.remove("r-1")
    artifacts.remove("r-1")
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["r-2"]


def test_folders_that_no_id_names_are_not_taken_for_those_of_runs(artifacts: Artifacts, tmp_path: Path):
    written(artifacts, "r-1", 1, "one")
    artifacts.publish("r-1", 1)
    for name in (".r-2.gone-1", "My notes"):
        (tmp_path / "runs" / name).mkdir()
    assert ids_in(tmp_path / "runs", tmp_path / "datasets") == {"r-1"}


def test_the_log_is_the_newest_attempts_until_one_is_published(artifacts: Artifacts):
    assert artifacts.log("r-1") is None
    for n in (1, 2, 10):
        (artifacts.attempt("r-1", n) / "log.txt").write_text(f"attempt {n}")
    assert artifacts.log("r-1").read_text() == "attempt 10"
    artifacts.publish("r-1", 10)
    assert artifacts.log("r-1").parent == artifacts.folder("r-1")


def test_the_log_is_that_of_a_later_attempt_where_one_was_published_and_its_run_not_done(artifacts: Artifacts):
    for n in (1, 2):
        (artifacts.attempt("r-1", n) / "log.txt").write_text(f"attempt {n}")
    artifacts.publish("r-1", 2)
    assert artifacts.log("r-1").read_text() == "attempt 2"
    later = artifacts.attempt("r-1", 3)
    assert artifacts.log("r-1").read_text() == "attempt 2", "it has not logged anything yet"
    (later / "log.txt").write_text("attempt 3")
    assert artifacts.log("r-1").read_text() == "attempt 3"


@pytest.mark.parametrize("run_id", ["../x", "", ".", "..", "A", "a/b", "a\\b", "a b", "-a", "a\n", "x" * 65, "a\x00"])
def test_only_plain_ids_name_a_folder(artifacts: Artifacts, run_id: str, tmp_path: Path):
    for call in (artifacts.folder, artifacts.remove, artifacts.checkpoints, artifacts.log):
        with pytest.raises(PathRefusedError, match="not an id"):
            call(run_id)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../r-2/out.txt", "/etc/passwd", "deep/../../x"])
def test_a_name_cannot_leave_its_folder(artifacts: Artifacts, name: str):
    written(artifacts, "r-1", 1, "one")
    artifacts.publish("r-1", 1)
    with pytest.raises(PathRefusedError, match="leads out of"):
        artifacts.has("r-1", name)


def test_a_link_cannot_leave_its_folder(artifacts: Artifacts, tmp_path: Path):
    (artifacts.attempt("r-1", 1) / "link").symlink_to("/etc")
    with pytest.raises(PathRefusedError):
        confined(artifacts.publish("r-1", 1), "link/passwd")


@pytest.fixture
def url() -> str:
    """A URL of its own in fsspec's file system in memory, which all Artifacts of this process share."""
    address = "memory://store-tests"
    yield address
    files = fsspec.filesystem("memory")
    if files.exists("/store-tests"):
        files.rm("/store-tests", recursive=True)


def test_artifacts_behind_a_url_are_fetched_by_another_machine(tmp_path: Path, url: str):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    written(here, "r-1", 1, "one")
    with pytest.raises(NotFoundError, match="no artifacts of r-1"):
        there.folder("r-1")
    here.publish("r-1", 1)
    assert (there.folder("r-1") / "deep" / "more.txt").read_text() == "one"
    assert there.folder("r-1").is_relative_to(tmp_path / "there") and there.has("r-1", "out.txt")


def test_a_fetch_that_fails_leaves_nothing_here(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    written(here, "r-1", 1, "one")
    here.publish("r-1", 1)
    files = fsspec.filesystem("memory")
    with monkeypatch.context() as patched:
        get = type(files).get_file

        def cut(self: object, remote: str, local: str) -> None:
            if remote.endswith("out.txt"):
                raise ConnectionResetError("Connection reset by peer")
            get(self, remote, local)

        patched.setattr(type(files), "get_file", cut)
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            there.folder("r-1")
    assert list((tmp_path / "there" / "runs").iterdir()) == []
    assert (there.folder("r-1") / "out.txt").read_text() == "one"


def test_what_a_fetch_that_was_killed_has_left_goes_with_the_next(tmp_path: Path, url: str):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    written(here, "r-1", 1, "one")
    here.publish("r-1", 1)
    killed_at("os.rename", lambda _, target, *__: Path(target).name == "r-1", lambda: there.folder("r-1"))
    (left,) = (tmp_path / "there" / "runs").iterdir()
    os.utime(left, (0, 0))
    assert (there.folder("r-1") / "out.txt").read_text() == "one"
    assert [path.name for path in (tmp_path / "there" / "runs").iterdir()] == ["r-1"]


def test_behind_a_url_too_the_latest_attempt_counts(tmp_path: Path, url: str):
    lost, owner, reader = (Artifacts(tmp_path / name, url) for name in ("lost", "owner", "reader"))
    written(lost, "r-1", 1, "one")
    written(owner, "r-1", 2, "two")
    owner.publish("r-1", 2)
    with pytest.raises(RunLostError):
        lost.publish("r-1", 1)
    assert (reader.folder("r-1") / "out.txt").read_text() == "two"
    assert (lost.folder("r-1") / "out.txt").read_text() == "two"


def test_an_attempt_that_uploads_while_a_later_one_is_published_is_dropped(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    slow, owner, reader = (Artifacts(tmp_path / name, url) for name in ("slow", "owner", "reader"))
    written(slow, "r-1", 1, "one")
    written(owner, "r-1", 2, "two")
    kind = type(fsspec.filesystem("memory"))
    put_file = kind.put_file

    def overtaken(*about: object, **more: object) -> None:
        monkeypatch.setattr(kind, "put_file", put_file)
        owner.publish("r-1", 2)
        put_file(*about, **more)

    monkeypatch.setattr(kind, "put_file", overtaken)
    with pytest.raises(RunLostError):
        slow.publish("r-1", 1)
    assert (reader.folder("r-1") / "out.txt").read_text() == "two"


def test_removing_removes_what_lies_behind_the_url(tmp_path: Path, url: str):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    written(here, "r-1", 1, "one")
    written(here, "r-2", 1, "two")
    here.publish("r-1", 1)
    here.publish("r-2", 1)
    there.remove("r-1")
    with pytest.raises(NotFoundError):
        there.folder("r-1")
    assert there.has("r-2", "out.txt")


def test_removing_a_data_set_removes_its_table_behind_the_url_and_no_other(tmp_path: Path, url: str):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    for dataset_id in ("d-1", "d-2"):
        with here.dataset_draft(dataset_id) as draft:
            (draft / "table.csv").write_text("path")
            here.publish(dataset_id, 1)
    there.remove("d-1")
    with pytest.raises(NotFoundError, match="d-1"):
        Artifacts(tmp_path / "third", url).folder("d-1")
    assert (there.folder("d-2") / "table.csv").read_text() == "path"


def test_a_url_that_cannot_be_used_says_so(tmp_path: Path):
    with pytest.raises(StoreUnavailableError, match="cannot be used .*correct SLIM_ARTIFACTS_URL"):
        Artifacts(tmp_path, "nosuchprotocol://bucket")


@pytest.mark.parametrize("remote", [False, True])
def test_what_a_run_made_can_be_removed_while_its_records_stay(tmp_path: Path, url: str, remote: bool):
    here = Artifacts(tmp_path / "here", url if remote else None)
    for run_id in ("r-1", "r-2"):
        written(here, run_id, 1, "one")
        (here.attempt(run_id, 1) / "log.txt").write_text("line")
        here.publish(run_id, 1)
    here.keep_records("r-1")
    here.keep_records("r-none")
    for place in [here, *([Artifacts(tmp_path / "there", url)] if remote else [])]:
        kept = {path.name for path in place.folder("r-1").rglob("*") if path.is_file()}
        assert kept == {"log.txt", "published.json"}
        assert (place.folder("r-2") / "out.txt").read_text() == "one"
    assert here.log("r-1").read_text() == "line"


def test_what_a_run_has_is_answered_without_fetching_it(tmp_path: Path, url: str):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    with pytest.raises(NotFoundError):
        there.sizes("r-1")
    assert not there.has("r-1", "out.txt")
    written(here, "r-1", 1, "one")
    here.publish("r-1", 1)
    assert there.has("r-1", "out.txt") and there.has("r-1", "deep/more.txt") and not there.has("r-1", "maps.npy")
    assert there.sizes("r-1") == here.sizes("r-1") == {
        "deep/more.txt": 3, "out.txt": 3, "published.json": len('{"attempt": 1}'),
    }  # fmt: skip
    with pytest.raises(PathRefusedError, match="leads out of"):
        there.has("r-1", "../r-2/out.txt")
    assert not (tmp_path / "there" / "runs").exists()
    there.folder("r-1")
    assert there.has("r-1", "out.txt") and there.sizes("r-1") == here.sizes("r-1")


def test_the_files_behind_a_url_are_listed_once_until_they_change(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    here, there = Artifacts(tmp_path / "here", url), Artifacts(tmp_path / "there", url)
    written(here, "r-1", 1, "one")
    here.publish("r-1", 1)
    asked, files = [], Remote.files
    monkeypatch.setattr(Remote, "files", lambda *about: (asked.append(about), files(*about))[1])
    assert [there.has("r-1", "out.txt") for _ in range(5)] == [True] * 5 and len(asked) == 1
    there.keep_records("r-1")
    assert not there.has("r-1", "out.txt")
    written(there, "r-1", 2, "two")
    there.publish("r-1", 2)
    assert there.has("r-1", "out.txt")
    there.remove("r-1")
    assert not there.has("r-1", "out.txt")
