"""What uses the disk, and what can go."""

from __future__ import annotations

from slim_core.steps.specs import GradcamSpec, SpaceSpec
from slim_core.store.storage import used
from tests.slim_core.store.store_makers import train_spec


def made(store, finish, spec, n_bytes: int):
    """A finished run with a result of this size."""
    run = store.runs.submit(spec)[0]
    (finish(run).folder / "result.bin").write_bytes(b"x" * n_bytes)
    return store.runs.fetch(run.id)


def test_runs_come_by_their_size_with_what_stands_on_them(store, finish, dataset):
    train = made(store, finish, train_spec(dataset), 100_000)
    gradcam = made(store, finish, GradcamSpec(dataset=dataset.id, model=train.id), 0)
    space = made(store, finish, SpaceSpec(dataset=dataset.id, attention=gradcam.id), 300_000)
    waiting = store.runs.submit(train_spec(dataset, seed=1))[0]
    store.campaigns.create("asks", dataset.id, space.id, [0, 1])
    found = {one.run.id: one for one in store.storage.runs()}
    assert list(found)[:3] == [space.id, train.id, gradcam.id]
    assert 300_000 <= found[space.id].n_bytes < 400_000 and found[waiting.id].n_bytes == 0
    assert (found[train.id].n_children, found[space.id].n_campaigns) == (1, 1)
    assert not any(one.can_go for one in found.values())


def test_a_run_on_which_nothing_stands_can_go_and_then_is_gone(store, finish, dataset):
    train = made(store, finish, train_spec(dataset), 50_000)
    (only,) = store.storage.runs()
    assert only.can_go and only.run.id == train.id
    before = store.storage.areas()["runs"]
    store.runs.delete(train.id)
    assert store.storage.runs() == []
    assert store.storage.areas()["runs"] <= before - 50_000


def test_links_are_not_followed_and_what_is_missing_is_nothing(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 500_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "large")
    assert used(tmp_path / "folder") < 100_000 and used(tmp_path / "missing") == 0
