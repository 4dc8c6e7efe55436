"""The bars of the command line."""

from __future__ import annotations

import re
import threading
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from slim_core.cli.kit import progress
from slim_core.cli.kit.progress import ProgressWorkbench, bars, show
from slim_core.errors import NothingToRepeatError, SlimError
from slim_core.runs.executor import InProcess, Workbench
from slim_core.steps.specs import TrainSpec
from slim_core.store import Run, StoreUnavailableError


class Failing:
    """Runs nothing to its end: each fails in its second epoch, just after it said how fast it is."""

    def __init__(self, store):
        self.store = store

    def submit(self, spec, **options: object) -> Run:
        return self.store.runs.submit(spec, **options)[0]

    def wait(self, run: Run) -> Run:
        token = self.store.attempts.claim(run.id, "w", "cpu")
        told = {"done": 300, "total": 600, "phase": "train", "epoch": 2, "epochs": 4, "images_per_s": 1234.0}
        self.store.attempts.progress(run.id, token, told)
        self.store.attempts.fail(run.id, token, "There is no room.")
        raise SlimError("There is no room.")


def test_the_bar_of_a_run_that_fails_ends_where_it_stopped(workbench, small_demo, monkeypatch, capsys):
    from slim_core import api

    monkeypatch.setattr(progress, "errors", Console(stderr=True, width=200))
    dataset = api.data_set(small_demo, at=workbench)
    shown = ProgressWorkbench(Workbench(workbench.store, Failing(workbench.store)))
    with pytest.raises(SlimError, match="no room"):
        shown.run(TrainSpec(dataset=dataset.id, model="small-resnet"))
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"50% \d:\d\d:\d\d +failed during train epoch 2/4$", line.strip()), line


def test_a_bar_goes_on_where_the_database_does_not_answer_for_a_moment(workbench, small_demo, monkeypatch):
    from slim_core import api

    monkeypatch.setattr(progress, "LOOK_S", 0.01)
    fetch, away, back = workbench.store.runs.fetch, threading.Event(), threading.Event()

    def sometimes(run_id: str) -> Run:
        if threading.current_thread() is threading.main_thread():
            return fetch(run_id)
        if not away.is_set():
            away.set()
            raise StoreUnavailableError("The database does not answer: start it.")
        back.set()
        return fetch(run_id)

    class Waiting(Failing):
        def wait(self, run: Run) -> Run:
            assert away.wait(10) and back.wait(10), "nobody looks at the run any more"
            return run

    monkeypatch.setattr(workbench.store.runs, "fetch", sometimes)
    shown = ProgressWorkbench(Workbench(workbench.store, Waiting(workbench.store)))
    shown.run(TrainSpec(dataset=api.data_set(small_demo, at=workbench).id, model="small-resnet"))


@pytest.mark.parametrize("error", [SlimError("There is no room."), NothingToRepeatError("Nothing is wrong.")])
def test_a_run_that_fails_is_named_with_what_resumes_it_unless_it_can_only_fail_again(
    error, workbench, small_demo, monkeypatch, capsys
):
    from slim_core import api

    def fail(submitter: Failing, run: Run) -> Run:
        token = submitter.store.attempts.claim(run.id, "w", "cpu")
        submitter.store.attempts.fail(run.id, token, str(error))
        raise error

    monkeypatch.setattr(Failing, "wait", fail)
    shown = ProgressWorkbench(Workbench(workbench.store, Failing(workbench.store)))
    with pytest.raises(type(error)):
        shown.run(TrainSpec(dataset=api.data_set(small_demo, at=workbench).id, model="small-resnet"))
    (run,) = workbench.store.runs.all()
    named = f"`slim retry {run.id}` resumes"
    assert (named in " ".join(capsys.readouterr().err.split())) is not isinstance(error, NothingToRepeatError)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_bar_tells_its_share_and_the_time_left_in_a_line_of_any_width(width, monkeypatch, capsys):
    monkeypatch.setattr(progress, "errors", Console(stderr=True, width=width))
    with bars() as display:
        task = display.add_task("[bold]train[/] a name that somebody gave at length", total=400, note="")
        for n in (100, 200):  # rich takes the speed from the time between two of them
            time.sleep(0.01)
            display.update(task, completed=n, note="train epoch 2/4 loss 0.365 1545 images/s")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r" 50% 0:00:0\d, 0:00:0\d left +train", line), line


def test_a_bar_whose_speed_is_not_known_tells_how_long_it_has_gone_on(monkeypatch, capsys):
    monkeypatch.setattr(progress, "errors", Console(stderr=True, width=80))
    with bars() as display:
        display.add_task("reading", total=4, completed=2, note="running")
    assert re.search(r" 50% 0:00:0\d +running$", capsys.readouterr().err.strip())


@pytest.mark.parametrize(
    ("ended", "shown"), [(False, "10% 0:00:00, 0:01:15 left attention space"), (True, "10% 0:00:00")]
)
def test_of_a_run_the_time_left_is_what_it_says_itself(ended, shown, monkeypatch, capsys):
    monkeypatch.setattr(progress, "errors", Console(stderr=True, width=100))
    status = "canceled" if ended else "running"
    state = {"done": 10, "total": 100, "phase": "attention space", "seconds_left": 75.4}
    run = SimpleNamespace(
        kind="space", name="of train", status=status, shown_status=status, ended=ended, progress=state
    )
    with bars() as display:
        show(display, display.add_task("space of train", total=None, note=""), run)
    line = re.sub(" +", " ", re.sub(r"0:00:0\d", "0:00:00", capsys.readouterr().err.strip()))
    assert f" {shown}" in line and ("left" in line) is not ended


def test_a_bar_at_its_end_has_no_time_left(monkeypatch, capsys):
    monkeypatch.setattr(progress, "errors", Console(stderr=True, width=80))
    with bars() as display:
        task = display.add_task("reading", total=4, note="1.2 s")
        for n in (2, 4):
            time.sleep(0.01)
            display.update(task, completed=n)
    assert re.search(r"100% 0:00:0\d +1\.2 s$", capsys.readouterr().err.strip())


@pytest.mark.parametrize(("is_here", "ends"), [(True, False), (False, False), (False, True)])
def test_ctrl_c_says_what_becomes_of_the_run(is_here, ends, workbench, small_demo, monkeypatch, capsys):
    from slim_core import api

    def press(_submitter, _run):
        raise KeyboardInterrupt

    submitter = InProcess(workbench.store) if is_here else Failing(workbench.store)
    monkeypatch.setattr(type(submitter), "wait", press)
    shown = ProgressWorkbench(Workbench(workbench.store, submitter), ends_with_it=ends)
    with pytest.raises(KeyboardInterrupt):
        shown.run(TrainSpec(dataset=api.data_set(small_demo, at=workbench).id, model="small-resnet"))
    (run,) = workbench.store.runs.all()
    here = f"`slim delete {run.id}` removes"
    queued = f"`slim stop {run.id}` ends"
    assert (here if is_here or ends else queued) in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_says_so_too_while_the_database_does_not_answer(workbench, small_demo, monkeypatch, capsys):
    from slim_core import api

    def away(_run_id: str) -> Run:
        raise StoreUnavailableError("The database does not answer: start it.")

    def press(*_: object) -> Run:
        monkeypatch.setattr(workbench.store.runs, "fetch", away)
        raise KeyboardInterrupt

    monkeypatch.setattr(Failing, "wait", press)
    shown = ProgressWorkbench(Workbench(workbench.store, Failing(workbench.store)))
    with pytest.raises(KeyboardInterrupt):
        shown.run(TrainSpec(dataset=api.data_set(small_demo, at=workbench).id, model="small-resnet"))
    assert "continues in the" in capsys.readouterr().err
