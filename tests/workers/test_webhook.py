"""The webhook: each ended run is told of once, whatever the receiver does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from slim_core.data.importing import import_data
from slim_core.runs.execute import execute
from slim_core.settings import Settings
from slim_core.steps.specs import STEPS, GradcamSpec, TrainSpec
from slim_core.store import Run, Store, schema
from tests.workers.drills import Drill, register
from tests.workers.worker_bench import until
from workers import webhook
from workers.webhook import Notifier


class Receiver(ThreadingHTTPServer):
    """A real HTTP server that keeps what it is sent and behaves as told: "well", "badly" (500), "hang", or as "ssh"."""

    daemon_threads = True

    def __init__(self, behaviour: Callable[[int], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[dict] = []
        self.behaviour = behaviour
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, with a path of its own."""
        return f"http://127.0.0.1:{self.server_port}/hook?key=secret"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep it, then answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json" and self.path == "/hook?key=secret"
        self.server.got.append(body)
        how = self.server.behaviour(len(self.server.got))
        if how == "hang":
            self.server.over.wait(60)
            return
        if how == "ssh":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            return
        self.send_response(500 if how == "badly" else 204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(behaviour: Callable[[int], str] = lambda _n: "well") -> Iterator[Receiver]:
    """A receiver that listens meanwhile."""
    server = Receiver(behaviour)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def notifying(store: Store, url: str, n: int = 1) -> Iterator[list[Notifier]]:
    """So many services that tell."""
    notifiers = [Notifier(store, url) for _ in range(n)]
    for each in notifiers:
        each.start()
    until(lambda: all(each._since for each in notifiers), "the notifiers to poll")
    yield notifiers
    for each in notifiers:
        each.ending.set()
        each.join(30)
        assert not each.is_alive()


@pytest.fixture
def store(tmp_path: Path, images: Path, monkeypatch) -> Iterator[Store]:
    """A store with a data set, and notifiers that try again soon."""
    monkeypatch.setattr(webhook, "POLL_S", 0.02)
    monkeypatch.setattr(webhook, "PAUSES_S", (0.02, 0.05))
    monkeypatch.setattr(webhook, "TIMEOUT_S", 60.0)  # on a slow machine even this receiver may take seconds
    monkeypatch.setattr("slim_core.steps.context.BEAT_S", 0.02)
    settings = Settings(home=tmp_path / "home", data_roots=(images,), public_url="https://slim.example/")
    known = dict(STEPS)
    register()
    opened = Store.open(settings)
    opened.datasets.register(import_data(images, settings=settings))
    yield opened
    opened.close()
    STEPS.clear()
    STEPS.update(known)


def _end(store: Store, tmp_path: Path, **fields: object) -> Run:
    trace = tmp_path / f"trace-{time.monotonic_ns()}.txt"
    run, _ = store.runs.submit(Drill(dataset=store.datasets.all()[0].id, trace=str(trace), **fields), by="ann")
    return execute(store, run.id, worker="tester", device="cpu")


def test_done_and_failed_runs_are_told_once_by_any_number_of_services_and_earlier_ones_never(store, tmp_path):
    _end(store, tmp_path)  # before the address was set
    with receiver() as server, notifying(store, server.url, n=3) as notifiers:
        done, failed = _end(store, tmp_path, counts=2), _end(store, tmp_path, misbehave="refuse")
        until(lambda: len(server.got) >= 2, "both to be told")
        retried = store.attempts.retry(failed.id)
        execute(store, retried.id, worker="tester", device="cpu")
        until(lambda: len(server.got) >= 3, "the failed retry to be told, too")
        notifiers[0].send_ended()  # nothing is left
        told = {each["id"]: each for each in server.got}

    assert [each["id"] for each in server.got].count(done.id) == 1 and len(server.got) == 3
    assert told[done.id] == {
        "id": done.id,
        "kind": "drill",
        "name": done.name,
        "status": "done",
        "message": None,
        "seconds": round(done.seconds, 1),
        "submitted_by": "ann",
        "finished_at": done.finished_at.isoformat(),
        "metrics": {"counted": 2, "began_at": 0},
        "link": f"https://slim.example/jobs?run={done.id}",
    }
    assert told[failed.id]["status"] == "failed" and told[failed.id]["message"].startswith("The drill refuses count 2")


def test_a_run_that_is_retried_as_it_is_told_of_is_told_of_as_it_ended_and_again_at_its_next_end(
    store, tmp_path, monkeypatch
):
    with receiver() as server:
        notifier = Notifier(store, server.url)
        notifier.send_ended()
        failed = _end(store, tmp_path, misbehave="refuse")
        with monkeypatch.context() as patch:
            patch.setattr(webhook, "_claim", then(webhook._claim, lambda: store.attempts.retry(failed.id)))
            notifier.send_ended()
        execute(store, failed.id, worker="tester", device="cpu")
        notifier.send_ended()

    ended = ("failed", failed.message, failed.finished_at.isoformat())
    assert [(each["status"], each["message"]) for each in server.got] == [ended[:2], ended[:2]]
    assert server.got[0]["finished_at"] == ended[2] < server.got[1]["finished_at"]


def test_a_run_that_is_deleted_as_it_is_told_of_holds_up_no_other(store, tmp_path, monkeypatch):
    with receiver() as server:
        notifier = Notifier(store, server.url)
        notifier.send_ended()
        deleted, other = _end(store, tmp_path), _end(store, tmp_path)
        monkeypatch.setattr(webhook, "_unsent", then(webhook._unsent, lambda: store.runs.delete(deleted.id)))
        notifier.send_ended()

    assert [each["id"] for each in server.got] == [other.id]


def then(function: Callable[..., object], act: Callable[[], object]) -> Callable[..., object]:
    """The function, after which something else happens before anything is made of what it found."""

    def both(*given: object) -> object:
        found = function(*given)
        act()
        return found

    return both


def test_a_pass_in_shards_is_told_of_with_the_computing_of_all_of_them(store):
    dataset = store.datasets.all()[0].id
    model, _ = store.runs.submit(TrainSpec(dataset=dataset, model="small-resnet"))
    with receiver() as server, notifying(store, server.url):
        with closing(Store.open(store.settings)) as many:
            many.runs.shard_images = 20
            whole, _ = many.runs.submit(GradcamSpec(dataset=dataset, model=model.id, batch_size=4))
        first, *_ = store.runs.shards(whole.id)
        with store.database.write() as connection:  # as if it had computed for a minute before
            connection.execute(schema.runs.update().where(schema.runs.c.id == first.id).values(seconds=60.0))
        store.attempts.fail(model.id, store.attempts.claim(model.id, "w", "cpu"), "No memory.")
        until(
            lambda: whole.id in [each["id"] for each in server.got], "the pass to be told, which ended with its model"
        )
        (told,) = [each for each in server.got if each["id"] == whole.id]
    assert (store.runs.fetch(whole.id).seconds, told["seconds"]) == (0.0, 60.0)


def test_what_ended_while_no_service_ran_is_told_later(store, tmp_path):
    with receiver() as server:
        with notifying(store, server.url):
            pass
        missed = _end(store, tmp_path)
        with notifying(store, server.url):
            until(lambda: server.got, "what was missed to be told")

    assert [each["id"] for each in server.got] == [missed.id]


@pytest.mark.slow
@pytest.mark.parametrize("how, why", [("badly", "it answered 500"), ("hang", "timed out"), ("ssh", "not HTTP")])
def test_a_receiver_that_fails_is_asked_three_times_and_then_left_alone(store, tmp_path, caplog, how, why, monkeypatch):
    with receiver(lambda n: how if n <= 3 else "well") as server, notifying(store, server.url):
        with monkeypatch.context() as patch:
            patch.setattr(webhook, "TIMEOUT_S", 1.0 if how == "hang" else 60.0)
            first = _end(store, tmp_path)
            until(lambda: "was not notified" in caplog.text, "it to be given up")
        second = _end(store, tmp_path)
        until(lambda: len(server.got) >= 4, "the next run to be told")

    assert [each["id"] for each in server.got] == [first.id] * 3 + [second.id]
    assert why in caplog.text
    assert "secret" not in caplog.text and store.runs.fetch(first.id).status == "done"


def test_a_receiver_that_fails_once_is_told_at_the_second_try(store, tmp_path, caplog):
    with receiver(lambda n: "badly" if n == 1 else "well") as server, notifying(store, server.url) as notifiers:
        run = _end(store, tmp_path)
        until(lambda: len(server.got) >= 2, "the second try")
        notifiers[0].send_ended()  # no third

    assert [each["id"] for each in server.got] == [run.id] * 2 and "was not notified" not in caplog.text


def test_a_receiver_that_is_gone_holds_up_nothing(store, tmp_path, caplog):
    with notifying(store, "http://127.0.0.1:1/hook"):
        run = _end(store, tmp_path)
        until(lambda: "was not notified" in caplog.text, "it to be given up")

    assert run.status == "done" and "refused" in caplog.text.lower()


@pytest.mark.redis
def test_a_worker_service_sends_it(fresh_bench):
    with receiver() as server, fresh_bench(webhook_url=server.url) as bench:
        run = bench.await_status(bench.submit(), "done")
        until(lambda: server.got, "the run to be told")

    assert [each["id"] for each in server.got] == [run.id]
