"""Artifacts on S3, against a server: what is published is whole, and what cannot be reached says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core.errors import NotFoundError
from slim_core.store import StoreUnavailableError
from slim_core.store.artifacts import Artifacts
from slim_core.store.remote import RemoteAwayError
from tests.s3_server import BUCKET, Gate, buckets, names, needs_s3, s3_server

pytestmark = [needs_s3, pytest.mark.slow]
URL = f"s3://{BUCKET}/team"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    with s3_server(monkeypatch) as opened:
        yield opened


def written(artifacts: Artifacts, run: str, attempt: int, n_bytes: int = 1000) -> None:
    folder = artifacts.attempt(run, attempt)
    (folder / "deep").mkdir()
    for name in ("a.bin", "deep/b.bin", "metrics.json"):
        (folder / name).write_bytes(name.encode() + bytes(n_bytes))


def test_another_machine_fetches_what_one_has_published_and_removes_it(gate: Gate, tmp_path: Path) -> None:
    here, there = (Artifacts(tmp_path / name, URL) for name in ("here", "there"))
    here.require_place()
    written(here, "r-1", 1)
    with pytest.raises(NotFoundError, match="no artifacts of r-1"):
        there.folder("r-1")
    here.publish("r-1", 1)
    assert (there.folder("r-1") / "deep/b.bin").read_bytes().startswith(b"deep/b.bin")
    there.keep_records("r-1")
    assert [name.rpartition("/")[2] for name in names(f"{BUCKET}/team/runs/r-1")] == [
        "metrics.json", "published.json", "published.json",
    ]  # fmt: skip
    there.remove("r-1")
    assert names() == []


def test_a_server_that_is_away_is_named_and_what_it_got_by_halves_is_no_ones_result(gate: Gate, tmp_path: Path) -> None:
    here, there = (Artifacts(tmp_path / name, URL) for name in ("here", "there"))
    written(here, "r-1", 1, n_bytes=400_000)
    gate.after = 700_000
    with pytest.raises(RemoteAwayError, match=f"The artifacts at {URL} cannot be reached .*: start their server"):
        here.publish("r-1", 1)
    with pytest.raises(RemoteAwayError, match="cannot be reached"):
        there.folder("r-1")
    gate.open()
    assert names(), "some of it had arrived"
    with pytest.raises(NotFoundError, match="no artifacts of r-1"):
        there.folder("r-1")
    here.publish("r-1", 1)
    assert {path.name for path in there.folder("r-1").rglob("*.bin")} == {"a.bin", "b.bin"}


def test_a_bucket_that_is_missing_is_refused_and_not_made(gate: Gate, tmp_path: Path) -> None:
    here = Artifacts(tmp_path / "here", "s3://slim-test/team")
    written(here, "r-1", 1)
    refusals = (lambda: here.require_place(), lambda: here.publish("r-1", 1), lambda: here.folder("r-1"))
    for refused in refusals:
        with pytest.raises(StoreUnavailableError, match="is no bucket slim-test.*SLIM_ARTIFACTS_URL") as it:
            refused()
        assert not isinstance(it.value, RemoteAwayError), "waiting would not help"
    assert buckets() == [BUCKET]


def test_keys_that_the_server_does_not_know_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch, knows_keys=False):
        here = Artifacts(tmp_path / "here", URL)
        written(here, "r-1", 1)
        for refused in (lambda: here.require_place(), lambda: here.publish("r-1", 1), lambda: here.folder("r-1")):
            with pytest.raises(StoreUnavailableError, match="correct SLIM_ARTIFACTS_URL, or") as it:
                refused()
            assert not isinstance(it.value, RemoteAwayError), "waiting would not help"


def test_without_any_keys_the_sentence_says_so(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreUnavailableError, match="not open it.*correct SLIM_ARTIFACTS_URL"):
        Artifacts(tmp_path / "here", URL).require_place()
