"""What is said of a run: its status as a label and a colour, the same on every page, its state in a plain sentence,
what ended it, what its report notes, its figures once it is done; the buttons that queue it again where it is not; and
the name, the note and the tags of it, of a data set or of a campaign, with the form that changes them.

A run that failed or was stopped resumes where it was, starts anew, or runs with what fits into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from app import session
from app.services import actions
from app.services.loop_state import dismissal, results_of
from app.services.results import comparison
from app.ui import next_step, reruns
from app.ui.messages import errors_shown, for_reader, prose, verbatim
from app.ui.reruns import fragment, sync
from app.ui.tables import TableText
from slim_core.errors import ArtifactDamagedError, ConflictError, NotFoundError, SpecRefusedError
from slim_core.formatting import ago, counted, duration, percent
from slim_core.metrics import AVERAGE, worst_rates, worst_shown
from slim_core.store.notes import MAX_NAME, MAX_TEXT, Note
from slim_core.store.results import ModelResult, recorded_remedy
from slim_core.store.runs.rows import ACTIVE, UNFINISHED, label_of, title_of

if TYPE_CHECKING:
    from slim_core.store import Run
    from workers.queue import QueueView

# status -> (colour, icon, label)
BADGES: dict[str, tuple[Literal["gray", "blue", "orange", "green", "red"], str, str]] = {
    "queued": ("gray", "schedule", "queued"),
    "running": ("blue", "play_circle", "running"),
    "stopping": ("orange", "stop_circle", "stopping"),
    "done": ("green", "check_circle", "done"),
    "failed": ("red", "error", "failed"),
    "canceled": ("gray", "stop_circle", label_of("canceled")),
}

WORDS = {status: label for status, (_, _, label) in BADGES.items()}
SYMBOLS = {"queued": "○", "running": "▶", "stopping": "■", "done": "✓", "failed": "✗", "canceled": "–"}  # in tables


def show_badge(status: str) -> None:
    """The status as a badge."""
    colour, icon, label = BADGES[status]
    st.badge(label, icon=f":material/{icon}:", color=colour)


def badge(status: str) -> str:
    """The status as a badge inside other text."""
    colour, icon, label = BADGES[status]
    return f":{colour}-badge[:material/{icon}: {label}]"


def badge_cell(status: str) -> TableText:
    """The status in a table."""
    return TableText(f"{SYMBOLS[status]} {WORDS[status]}", BADGES[status][0])


def is_active(run: Run) -> bool:
    """True while something may still happen to the run by itself."""
    return run.status in ACTIVE


def sentence(run: Run, view: QueueView, now: datetime | None = None) -> str:
    """The state of a run, in a sentence or two."""
    now = now or datetime.now(UTC)
    if run.status == "queued":
        return _why_here(run) + waiting(run, view)
    if run.status == "running":
        since = f" for {duration((now - run.started_at).total_seconds())}" if run.started_at else ""
        return f"It has been running on {run.worker} ({run.device}){since}."
    if run.status == "stopping":
        return "It stops at its next batch. If it does not, its process is killed."
    ended = f", {ago(run.finished_at, now)}" if run.finished_at else ""
    took = duration(run.seconds)
    if run.status == "done":
        return f"It finished after {took} of computing{ended}."
    if run.status == "failed":
        return f"It failed after {took}{ended}." if run.attempt else f"It failed before it started{ended}."
    return f"It was stopped after {took}{ended}." if run.attempt else f"It was stopped before it started{ended}."


def _why_here(run: Run) -> str:
    """Why a run has been queued again; "" where it has not."""
    return f"{for_reader(run.message)} " if run.message and run.attempt else ""


def waiting(run: Run, view: QueueView) -> str:
    """What a queued run waits for: its turn, a parent, a worker."""
    reason = view.waits_for(run.id)
    if reason:
        return for_reader(reason)
    place = view.position(run.id)
    if place is None:
        return "It is queued."
    return "It is next in the queue." if place == 1 else f"It is number {place} in the queue."


def rough_duration(seconds: float) -> str:
    """A rough time: "about 40 s", "about 3 min", "about 2 h"."""
    if seconds < 55:
        return f"about {max(1, round(seconds / 5) * 5 if seconds > 10 else round(seconds))} s"
    if seconds < 3300:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {max(1, round(seconds / 3600))} h"


def cause_of(run: Run) -> Run:
    """The run to see to first; itself where no other ended it."""
    parents = [parent for _, parent in session.store().runs.parents(run.id)]
    ended = next((parent for parent in parents if parent.status in UNFINISHED), None)
    return run if ended is None else cause_of(ended)


def stopped_by(run: Run) -> str:
    """Who asked a stopped run to stop: "You", or a name."""
    events = session.store().events.recent(subject=run.id)
    who = next((event.who for event in events if event.what == "run.stop"), run.created_by)
    return "You" if who == session.viewer().name else who


FEW = 3  # notes that are shown one by one


def notes_of(run: Run) -> Sequence[str]:
    """The notes of a run with its metrics, if it has any."""
    found: Sequence[str] = (run.metrics or {}).get("report", {}).get("notes", ())
    return found


def show_notes(notes: Sequence[str]) -> None:
    """Each as its sentence; of many the first, and the rest on demand."""
    for note in notes if len(notes) <= FEW else notes[:1]:
        st.warning(prose(note), icon=":material/warning:")
    if len(notes) > FEW:
        with st.expander(f"{len(notes) - 1} more notes", icon=":material/warning:"):
            st.markdown("\n".join(f"- {prose(note)}" for note in notes[1:]))


def model_result(model: Run) -> ModelResult | None:
    """What a finished train run left; None where its files were removed."""
    try:
        found = ModelResult(session.store().artifacts.folder(model.id))
    except NotFoundError:
        return None
    return found if found.exists else None


def show_network(model: Run) -> bool:
    """A caption of a finished train run; False where it says that the model has no attention maps."""
    found = model_result(model)
    if found is not None and found.no_attention:
        st.info(prose(found.no_attention), icon=":material/visibility_off:")
        return False
    if found is not None and found.network is not None:
        st.caption(verbatim(f"{found.network.described} {found.transform.described}"))
    return True


def newest_record(run: Run, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """As ``read`` reads it from the attempt's folder; empty where it is not on this machine, or half written."""
    log = session.store().artifacts.log(run.id)
    try:
        return read(log.parent) if log else {}
    except ArtifactDamagedError:
        return {}


_ABOUT = "A new run, with batches that fit into memory."


def remedy_button(run: Run) -> None:
    """Runs it with the fields that its newest attempt has named; nothing where it has named none."""
    changes = known_remedy(run)
    if not changes:
        return
    if st.button(remedy_label(changes), type="primary", icon=":material/memory:", help=_ABOUT, key=f"remedy-{run.id}"):
        with errors_shown():
            new, created = actions.run_with(run, changes)
            st.session_state["message-once"] = "" if created else "This run exists already."
            next_step.go_to("jobs", run=new.id)


def remedy_label(changes: dict[str, Any]) -> str:
    """The label of the button."""
    return f"Run with {' and '.join(f'{name} {value}' for name, value in changes.items())}"


def known_remedy(run: Run) -> dict[str, Any]:
    """The fields and their values; empty where none are known on this machine."""
    return newest_record(run, recorded_remedy) if run.status == "failed" and run.shard_of is None else {}


def retry_button(run: Run) -> None:
    """For leads."""
    about = "Resumes from its last checkpoint." if has_checkpoint(run) else "Starts again."
    kind = retry_emphasis(run)
    about = f"{about}{retried_with(run)}"
    if st.button(retry_label(run), icon=":material/replay:", help=about, type=kind, key=f"retry-{run.id}"):
        with errors_shown():
            actions.retry(run.id)
            st.rerun()


_DISMISSED = "dismissed"  # of the session: the visit, and the runs


def dismiss_button(runs: Sequence[Run]) -> None:
    """For leads: takes runs without a result out of sight."""
    about = "Hides it here. To undo that later, remove its tag on the Jobs page."
    if st.button("Dismiss", icon=":material/close:", help=about, key=f"dismiss-{runs[0].id}", type="tertiary"):
        with errors_shown():
            for run in runs:
                _tag(run, add=True)
            st.session_state[_DISMISSED] = reruns.visit_number(), [run.id for run in runs]
            st.rerun()


def show_undo() -> None:
    """What was dismissed in this visit can be brought back by one press."""
    visit, ids = st.session_state.get(_DISMISSED, (None, []))
    found = session.store().history.some(ids) if visit == reruns.visit_number() else {}
    if found and st.button("Undo dismiss", icon=":material/undo:", key="undo-dismiss", type="tertiary"):
        with errors_shown():
            for run in found.values():
                _tag(run, add=False)
            del st.session_state[_DISMISSED]
            st.rerun()


def _tag(run: Run, *, add: bool) -> None:
    note, tag = session.store().notes.fetch(run.id), {dismissal(run)}
    tags = {*note.tags} | tag if add else {*note.tags} - tag
    actions.describe(run.id, name=run.name or run.kind, text=note.text, tags=tags)


def retry_emphasis(run: Run) -> Literal["primary", "secondary"]:
    """Of a button that queues it again: the first thing to press, unless the same again would fail again."""
    return "secondary" if known_remedy(run) or is_refused(run) else "primary"


def is_refused(run: Run) -> bool:
    """Whether it failed for what it was asked to do, such as too large a learning rate, and not by chance."""
    return run.status == "failed" and run.progress.get("error") == SpecRefusedError.__name__


def retry_label(run: Run) -> str:
    """The label of the button."""
    return "Resume" if has_checkpoint(run) else "Retry"


def retried_with(run: Run) -> str:
    """How many runs a retry queues again beside it, in a sentence; nothing where none ended with it."""
    n = len(session.store().attempts.retried_with(run.id))
    return f" {counted(n, 'run')} that waited for it {'is' if n == 1 else 'are'} queued again with it." if n else ""


def has_checkpoint(run: Run) -> bool:
    """Whether an attempt has left a checkpoint to resume from, on this machine."""
    return run.attempt > 0 and any(session.store().artifacts.checkpoints(run.id).iterdir())


@fragment(run_every=4)
def watch(*ids: str) -> None:
    """Draws the page again when one of these runs, which ended without a result, is queued again, done by now, or gone.

    A short one may be queued again and done between two looks.
    """
    runs = session.store().history.some(ids)
    if len(runs) < len(ids) or any(run.status not in UNFINISHED for run in runs.values()):
        st.rerun()


LABELS = {"candidates": "Answer"}  # of the link; of other kinds it is "Result"


@dataclass(frozen=True)
class OutcomeMessage:
    """What is said of runs that are done, and the link to where it is seen."""

    text: str
    page: str = ""  # empty: there is no such page
    label: str = ""
    link: Mapping[str, str] = field(default_factory=dict)

    def show(self, key: str, *, border: bool = True) -> None:
        """One row. ``key``: the run that is the last of them."""
        with st.container(border=border, horizontal=True, vertical_alignment="center", key=f"outcome-{key}"):
            st.markdown(f":green[:material/check_circle:] {self.text}", width="stretch")
            if self.page:
                next_step.link(self.page, self.label, **self.link)


def show_outcome(run: Run) -> None:
    """One box. ``run``: one that has ended, with its metrics."""
    if run.status == "done":
        outcome_of(run).show(run.id)
        return
    named = f"The {title_of(run.kind).lower()} run {run.id}"
    say_end(run, f"{named} was stopped.", before=f"{named} failed: ")
    next_step.link("jobs", f"See the log of {verbatim(run.name or run.id)}", icon="notes", run=run.id)


def say_end(run: Run, otherwise: str, *, before: str = "") -> None:
    """Why a run has no result: that it failed is an error, that somebody stopped it is not.

    ``before``: names the run that failed, where the page does not.
    """
    text = prose(for_reader(run.message or otherwise))
    st.error(f"{before}{text}", icon=":material/error:") if run.status == "failed" else st.info(text)
    watch(run.id)


def outcome_of(run: Run, *before: str) -> OutcomeMessage:
    """What is said of a finished run; ``before``: sentences that come first."""
    reference = _before(run)
    text = " ".join([*before, _outcome_sentence(run, reference)])
    if reference is not None:
        return OutcomeMessage(
            text, "compare", "Compare", {"dataset": run.dataset_id, **comparison.compare_parameters(reference, run)}
        )
    if run.kind not in comparison.RESULT_PAGES:
        return OutcomeMessage(text)
    page, link = comparison.page_of(run)
    return OutcomeMessage(text, page, LABELS.get(run.kind, "Result"), link)


def outcome_of_several(evaluations: Sequence[Run]) -> OutcomeMessage:
    """What is said of the finished evaluations of several models, such as the seeds of one training."""
    known = [run.metrics or {} for run in evaluations]
    worst = _spread([(worst_shown(one) or {}).get("accuracy") for one in known])
    average = _spread([one.get(AVERAGE) for one in known])
    text = f"{counted(len(evaluations), 'model')} evaluated: worst group {worst}, average {average}."
    ids = [run.id for run in evaluations]
    link = {"dataset": evaluations[0].dataset_id, "baseline": ids[0], "runs": ",".join(ids)}
    return OutcomeMessage(text, "compare", "Compare", link)


def outcome_of_scores(scored: Sequence[Run]) -> OutcomeMessage:
    """What is said of runs that were scored against what is drawn by now."""
    n_masks = max((run.metrics or {}).get("n_masks") or 0 for run in scored)
    on = f"on up to {counted(n_masks, 'image')} with a drawing, mask or box"
    page, link = comparison.page_of(scored[-1])
    return OutcomeMessage(f"**{counted(len(scored), 'run')}** scored again, {on}.", page, "Result", link)


def _spread(found: Sequence[float | None]) -> str:
    """The mean, and the lowest and the highest; a dash where no image is of a known group."""
    rates = [rate for rate in found if rate is not None]
    if not rates:
        return percent(None)
    extremes = f"lowest {percent(min(rates))}, highest {percent(max(rates))}"
    return f"**{percent(sum(rates) / len(rates))}** on average ({extremes})"


def outcome_sentence(run: Run) -> str:
    """The figures of a finished run."""
    return _outcome_sentence(run, _before(run))


def _outcome_sentence(run: Run, before: Run | None) -> str:
    """``before``: as ``_before`` finds it."""
    metrics = run.metrics or {}
    if run.kind == "curate":
        distinct = (
            f"{metrics['images_unique']:,} distinct" if metrics["images_unique"] < metrics["images"] else "all distinct"
        )
        return f"Subset ready: **{counted(metrics['images'], 'image')}**, {distinct}."
    if run.kind == "candidates":
        return f"**{counted(metrics['images'], 'image')}** selected for annotation."
    if run.kind == "space":
        return f"Attention space ready: **{counted(metrics['images'], 'image')}**."
    if run.kind != "evaluate":
        return f"The {title_of(run.kind).lower()} run {run.id} is done."
    if before is None:
        found = worst_shown(metrics)
        which = "no image is of a known group" if found is None else verbatim(found["name"])
        worst = percent(found["accuracy"] if found else None)
        return f"Evaluated: worst group **{worst}** ({which}), average {percent(metrics[AVERAGE])}."
    was = session.store().runs.fetch(before.id).metrics or {}
    rates = worst_rates(was, metrics), (was[AVERAGE], metrics[AVERAGE])
    worst, average = (f"{percent(old)} → **{percent(new)}**" for old, new in rates)
    return f"Retrained and evaluated: worst group {worst}, average {average}."


def _before(run: Run) -> Run | None:
    """The reference's evaluation, of an evaluation of a model retrained on a subset."""
    if run.kind != "evaluate":
        return None
    store = session.store()
    above = store.history.some(store.lineage.ancestors([run.id]))
    evaluations = store.runs.all(kind="evaluate", dataset=run.dataset_id, metrics=False)
    results = results_of([*above.values(), *evaluations])
    return next((one.before for one in results if one.id == run.id), None)


def show_described(subject: str, name: str) -> None:
    """Tags and note in a line, and for leads the form behind a button. ``subject``: the id; ``name``: as it is."""
    note = session.store().notes.fetch(subject)
    with st.container(horizontal=True, vertical_alignment="center", key=f"notes-{subject}"):
        if session.viewer().may("lead"):
            with st.popover("Name, note, tags", icon=":material/edit:"):
                _describing(subject, name, note)
        if note.tags:
            st.markdown(" ".join(f":blue-badge[{verbatim(tag)}]" for tag in note.tags), width="content")
        if note.text:
            st.caption(prose(note.text), width="stretch")


def _describing(subject: str, name: str, note: Note) -> None:
    with st.form(f"describe-{subject}", border=False):
        new = st.text_input("Name", max_chars=MAX_NAME, key=sync(f"name-{subject}", name))
        text = st.text_area("Note", max_chars=MAX_TEXT, key=sync(f"note-{subject}", note.text))
        known = sorted({*session.store().notes.tags(), *note.tags})
        tags = st.multiselect(
            "Tags", known, accept_new_options=True, key=sync(f"tags-{subject}", list(note.tags)),
            help="The search on the Jobs page finds runs by name, note and tag.",
        )  # fmt: skip
        pressed = st.form_submit_button("Save", type="primary")
    if pressed:
        with errors_shown():
            _require_not_overtaken(subject, name, note)
            actions.describe(subject, name=new, text=text, tags=tags)
            reruns.saved(f"name-{subject}", f"note-{subject}", f"tags-{subject}")
            st.rerun()


def _require_not_overtaken(subject: str, name: str, note: Note) -> None:
    """``name``, ``note``: as they are stored.

    Raises:
        ConflictError: somebody else has written what was written here, too; not where it is saved again.
    """
    stored = {"name": name, "note": note.text}
    news = [
        f"The {what} is now: {text}" for what, text in stored.items() if reruns.overtaken(f"{what}-{subject}", text)
    ]
    if news:
        said = "It was changed elsewhere meanwhile. To replace that, save again."
        raise ConflictError("\n".join([said, *news]))
