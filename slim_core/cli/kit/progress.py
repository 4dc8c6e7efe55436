"""Progress bars fed from the run's row in the database, so that they are the same in-process and through the queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from slim_core.cli.kit.console import ReportedInterrupt, clock, errors, escaped, tell
from slim_core.errors import NothingToRepeatError, SlimError
from slim_core.formatting import loss_in_words
from slim_core.runs.executor import InProcess, Workbench
from slim_core.store.runs.rows import label_of

if TYPE_CHECKING:
    from slim_core.data import report
    from slim_core.steps.specs import Spec
    from slim_core.store import Run, Store

LOOK_S = 0.25


def bars() -> Progress:
    """A display of bars with their time left, one line each, on stderr.

    Where a terminal is narrow, the title, the bar and the note give way, and the numbers stay.
    """
    return Progress(
        SpinnerColumn(),
        _Shortened("{task.description}"),
        BarColumn(bar_width=min(40, errors.width // 5)),  # the title says more than the bar
        TextColumn("{task.percentage:>3.0f}%"),
        _Times(),
        _Shortened("[dim]{task.fields[note]}"),
        console=errors,
    )


class _Shortened(TextColumn):
    """A text that ends in an ellipsis where its line is full."""

    def __init__(self, text_format: str) -> None:
        # To rich, what may wrap is what may become narrower; the text itself stays on its line.
        super().__init__(text_format, table_column=Column(no_wrap=False))

    def render(self, task: Task) -> Text:
        """The text, never on a second line."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class _Times(TimeElapsedColumn):
    """The time since the beginning, and the time left where it is known: of a run what it says itself, as on Jobs."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """ "0:00:25", or "0:00:25, 0:01:15 left"."""
        elapsed, left = super().render(task), task.fields.get("left", task.time_remaining)
        if task.finished or left is None:
            return elapsed
        return Text.assemble(elapsed, ", ", (str(timedelta(seconds=int(left))), "progress.remaining"), " left")


@contextmanager
def progress_bar(title: str, interrupted: str | None = None) -> Iterator[report.Progress]:
    """One bar for a task that says how far it is; ``interrupted``: what becomes of it after Ctrl-C."""
    try:
        with bars() as display:
            task = display.add_task(title, total=None, note="")
            yield lambda done, total, phase: display.update(
                task, completed=done, total=total, description=phase or title
            )
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        tell(interrupted)
        raise ReportedInterrupt from None


class ProgressWorkbench(Workbench):
    """A workbench that draws one bar for each run it awaits."""

    def __init__(self, inner: Workbench, display: Progress | None = None, *, ends_with_it: bool = False) -> None:
        """``display``: bars to add to; by default each run has a display of its own.

        ``ends_with_it``: what executes the runs ends with this process, as it does where that is this process.
        """
        super().__init__(inner.store, inner.submitter)
        object.__setattr__(self, "display", display)
        object.__setattr__(self, "ends_with_it", ends_with_it or isinstance(inner.submitter, InProcess))

    display: Progress | None
    ends_with_it: bool

    def run(self, spec: Spec, **options: Any) -> Run:
        """Submit and await one run, and show how far it is; or say that it was done before."""
        run = self.submitter.submit(spec, **options)
        if self.display is not None:
            return self._await(run, self.display)
        if run.finished_at is not None and run.status == "done" and options.get("force") is False:
            tell(f"Done before, on {clock(run.finished_at)}: --force runs it again.")
        with bars() as display:
            return self._await(run, display)

    def _await(self, run: Run, display: Progress) -> Run:
        task = display.add_task(_title(run), total=None, note=run.status, left=None)
        try:
            with _watched(self.store, run.id, display, task):
                return self.submitter.wait(run)
        except KeyboardInterrupt:
            tell(_after_ctrl_c(run, resumes=self.ends_with_it))
            raise ReportedInterrupt from None
        except SlimError as error:
            if not isinstance(error, NothingToRepeatError) and self.store.runs.fetch(run.id).status == "failed":
                tell(_after_failure(run))
            raise
        finally:
            with suppress(SlimError):  # what ended the wait is said, and not that the bar stays as it was
                show(display, task, self.store.runs.fetch(run.id))


def _after_ctrl_c(run: Run, *, resumes: bool) -> str:
    """What becomes of a run that nobody awaits any more; ``resumes``: what computed it ends with this process."""
    if resumes:
        return f"Interrupted. The same command resumes the {run.kind} run {run.id}; `slim delete {run.id}` removes it."
    return f"The {run.kind} run {run.id} continues in the queue: `slim stop {run.id}` ends it."


def _after_failure(run: Run) -> str:
    """What a run that failed is called, and how it resumes: the same command would begin another one."""
    return f"The {run.kind} run {run.id} failed: `slim runs {run.id}` shows its log, `slim retry {run.id}` resumes it."


@contextmanager
def _watched(store: Store, run_id: str, display: Progress, task: TaskID) -> Iterator[None]:
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_S):
            with suppress(SlimError):  # the database does not answer now: the run goes on, and so does its bar
                show(display, task, store.runs.fetch(run_id))

    watcher = threading.Thread(target=look, name=f"progress of {run_id}", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def show(display: Progress, task: TaskID, run: Run) -> None:
    """Draw a run's row on its bar."""
    if run.status == "done":
        display.update(task, total=1, completed=1, description=_title(run), note=f"{run.seconds:.1f} s {run.id}")
        return
    state = run.progress
    total = state.get("total")
    phase, status = state.get("phase", ""), label_of(run.shown_status)
    if phase and (run.ended or run.shown_status == "running"):  # what is running says so by its phase
        status = f"{label_of(run.status)} during" if run.ended else ""
    note = " ".join(str(part) for part in (status, phase, _numbers(state, moves=not run.ended)) if part)
    left = None if run.ended else state.get("seconds_left")
    display.update(task, total=total or None, completed=state.get("done", 0), note=note, left=left)


def _title(run: Run) -> str:
    return f"[bold]{run.kind:<8}[/] {escaped(run.name)}"


def _numbers(state: dict[str, Any], *, moves: bool) -> str:
    loss, speed = state.get("train_loss"), state.get("images_per_s")
    parts = [f"epoch {state['epoch']}/{state['epochs']}" if state.get("epoch") else ""]
    parts += [f"loss {loss_in_words(loss, 3)}" if loss is not None else ""]
    parts += [f"{speed:.0f} images/s" if speed and moves else ""]
    return " ".join(part for part in parts if part)
