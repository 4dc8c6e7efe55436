"""The log as text, and as one JSON object a line: of this process, of a service and of its jobs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core.runs import log_lines
from slim_core.runs.log_lines import JsonLine, bind
from tests.workers.worker_bench import DRILL_WORKERS, Bench, bench_at, until


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """A job that another test has done in this process may have left its run."""
    token = log_lines._known.set({})
    yield
    log_lines._known.reset(token)


def line(message: str, *args: object, **options: object) -> dict[str, str]:
    """A warning, as it would be written."""
    made: list[logging.LogRecord] = []
    log = logging.Logger("slim_core.some")
    log.handle = made.append  # type: ignore[method-assign, assignment]
    log.warning(message, *args, **options)  # type: ignore[arg-type]
    text = JsonLine().format(made[0])
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_time_level_logger_and_message() -> None:
    found = line("%s is\nlost: \x1b[31m \ud800 é", "r-1")
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "WARNING", "logger": "slim_core.some", "message": "r-1 is\nlost: \x1b[31m \ud800 é"}


def test_an_exception_is_a_field_of_its_line() -> None:
    try:
        raise ValueError("two")
    except ValueError:
        found = line("failed", exc_info=True)
    assert found["message"] == "failed" and found["exception"].endswith("ValueError: two")


def test_a_run_is_named_where_it_is_known_and_by_the_line_itself() -> None:
    import contextvars

    def inside() -> None:
        bind(worker="gpu-1", run="r-1")
        assert line("a") | {"time": ""} == {
            "time": "", "level": "WARNING", "logger": "slim_core.some", "message": "a", "worker": "gpu-1", "run": "r-1",
        }  # fmt: skip
        assert line("b", extra={"run": "r-2"})["run"] == "r-2"

    contextvars.copy_context().run(inside)
    assert "run" not in line("c"), "what one task knows another does not"


@pytest.mark.slow
@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("text", False)])
def test_the_service_writes_as_it_is_set(form: str, is_json: bool, tmp_path) -> None:
    asked = {"SLIM_LOG_FORMAT": form, "SLIM_HOME": str(tmp_path), "SLIM_REDIS_URL": "redis://127.0.0.1:1/0"}
    given = ["--queues", "cpu", "--device", "cpu", "--name", "one", "--parent", str(os.getpid())]
    done = subprocess.run(
        [*DRILL_WORKERS, "slot", *given],  # which import little
        env={**os.environ, **asked}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    if is_json:
        assert {"level": "ERROR", "worker": "one"}.items() <= json.loads(last).items()
    else:
        assert " ERROR   one: " in last


@pytest.mark.slow
def test_a_format_that_is_none_is_refused_in_a_sentence(tmp_path) -> None:
    variables = {**os.environ, "SLIM_LOG_FORMAT": "xml", "SLIM_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "workers"], env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr == "SLIM_LOG_FORMAT cannot be 'xml': set it to text or json.\n"


@pytest.fixture(scope="module")
def json_bench(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Services that write JSON."""
    with bench_at(tmp_path_factory.mktemp("json") / "home", images, log_format="json") as made:
        yield made


@pytest.mark.redis
def test_every_line_of_a_service_and_its_jobs_is_json_and_names_their_run(json_bench: Bench) -> None:
    log = json_bench.services.log_path
    run = json_bench.submit(misbehave="raise")
    json_bench.await_status(run, "failed")
    until(lambda: "not to the drill's liking" in log.read_text(), "the failure in the log")
    lines = [json.loads(each) for each in log.read_text().splitlines()]
    (failure,) = [each for each in lines if "not to the drill's liking" in each.get("exception", "")]
    assert failure["run"] == run.id and failure["worker"] == json_bench.fetch(run).worker
    assert failure["exception"].startswith("Traceback")


@pytest.mark.redis
def test_between_two_jobs_a_worker_names_no_run(json_bench: Bench) -> None:
    log = json_bench.services.log_path
    json_bench.await_status(json_bench.submit(counts=125, pause_s=0.02), "done")  # its worker has looked at it twice
    json_bench.redis().rpush("rq:queue:cpu", "../../x:y z")
    until(lambda: "is dropped" in log.read_text(), "the entry that is no job")
    lines = [json.loads(each) for each in log.read_text().splitlines()]
    (dropped,) = [each for each in lines if "is dropped" in each["message"]]
    assert "run" not in dropped and "-light-" in dropped["worker"]
