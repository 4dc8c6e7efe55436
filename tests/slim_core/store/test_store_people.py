"""Members and their roles, workers and their heartbeats, events."""

from __future__ import annotations

import time

import pytest

from slim_core.errors import ConflictError, ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.store import Store
from slim_core.store.members import require_role
from slim_core.store.workers import Heartbeat


def test_a_role_allows_what_the_lesser_ones_allow(store: Store):
    store.members.set_role("Lea@Example.org ", "lead", by="root")
    with store.database.read() as connection:
        for allowed in ("annotator", "lead"):
            assert require_role(connection, "lea@example.org", allowed) == "lead"
        for who, role, held in (("lea", "admin", "is lead"), ("eve", "viewer", "not a member")):
            with pytest.raises(ForbiddenError, match=held):
                require_role(connection, f"{who}@example.org", role)
    store.members.set_role("lea@example.org", "viewer")
    assert [(member.email, member.role) for member in store.members.all()] == [("lea@example.org", "viewer")]
    told = [(event.who, event.details) for event in store.events.recent(subject="lea@example.org")]
    assert told == [("local", {"before": "lead", "role": "viewer"}), ("root", {"before": None, "role": "lead"})]


def test_somebody_stays_admin(store: Store):
    store.members.set_role("ann@example.org", "admin")
    for change in (
        lambda: store.members.remove("ann@example.org"),
        lambda: store.members.set_role("ann@example.org", "lead"),
    ):
        with pytest.raises(ConflictError, match="be an admin"):
            change()
    store.members.set_role("ben@example.org", "admin")
    store.members.remove("ann@example.org")
    assert store.members.role("ann@example.org") is None


def test_unknown_roles_and_people_are_refused(store: Store):
    with pytest.raises(SpecRefusedError, match="no role 'boss': choose one of viewer, annotator, lead, admin"):
        store.members.set_role("ann@example.org", "boss")
    too_long = f"{'a' * 189}@example.org"
    store.members.set_role(too_long[1:], "viewer")
    for text in ("  ", "ann@", "@example.org", too_long, "ann@example.org,ben@example.org", "ann@one.org;ben@one.org"):
        with pytest.raises(SpecRefusedError, match="not an e-mail"):
            store.members.set_role(text, "viewer")
    with pytest.raises(NotFoundError, match="not a member"):
        store.members.remove("eve@example.org")


def test_a_worker_is_alive_while_it_beats(store: Store):
    about = {"host": "h", "pid": 7, "device": "cuda:0", "queues": ("gpu", "cpu")}
    store.workers.beat(Heartbeat("h:7", **about))
    store.workers.beat(Heartbeat("h:7", **about, current_run="r-1", memory_mb=12.5, load={"gpu": 0.5}))
    [worker] = store.workers.alive()
    assert (worker.id, worker.queues, worker.current_run, worker.load) == ("h:7", "gpu,cpu", "r-1", {"gpu": 0.5})
    assert worker.heartbeat_at >= worker.started_at
    time.sleep(0.05)
    assert store.workers.alive(within_s=0.04) == []
    assert store.workers.forget_silent(after_s=100) == 0 and store.workers.forget_silent(after_s=0.01) == 1
    store.workers.beat(Heartbeat("h:8", **about))
    store.workers.leave("h:8")
    assert store.workers.alive() == []
