"""One run: its state in a sentence, progress, curves and log as they come, what can be done with it, and its facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.about import show_attempts, show_changes, show_environment, show_lineage, show_parameters
from app.jobs.queue import show_state
from app.services import actions
from app.services.results import comparison
from app.ui import export, next_step, pick, progress, reruns, run_state, submit, tables, training
from app.ui.messages import errors_shown, for_reader, prose, verbatim
from app.ui.reruns import fragment
from app.ui.tables import Row, TableText
from slim_core.errors import ConflictError, NotFoundError, SlimError
from slim_core.evaluation.headlines import empty_maps, headlines
from slim_core.formatting import counted, duration, first_few, shortened
from slim_core.parameters import parameters
from slim_core.runs.details import Dependants, command, find_dependants
from slim_core.steps.specs import Spec, parse_spec
from slim_core.store.runs.log import tail, why_missing
from slim_core.store.runs.rows import TITLES, UNFINISHED, title_of

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run


TABS = ("Parameters", "Lineage", "What happened", "What changed", "Environment")


def show_run(run_id: str) -> Run | None:
    """Everything about a run; what changes while it is active polls, the rest stays as it is. None: no such run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        next_step.link("jobs", "All jobs", icon="arrow_back")
        try:
            run = session.store().runs.fetch(run_id)
        except NotFoundError as error:
            st.warning(prose(error), icon=":material/search_off:")
            return None
        st.subheader(verbatim(run.name or run.kind), anchor=False, width="content")
        st.caption(f"{title_of(run.kind)} · {run.id}")
    run_state.show_described(run.id, run.name or run.kind)
    place = st.container()
    with st.container():  # made in any case: what follows stays as it is
        _say_once()
    fragment(run_every=1 if run_state.is_active(run) else None)(_now)(run.id, run.status)
    if run.status in UNFINISHED:
        run_state.watch(run.id)
    _tabs(run)
    if run_state.is_active(run):
        with place:
            show_state()
    return run


def _say_once() -> None:
    """What the press that led here has done; where it is not drawn again each second, which would take it away."""
    if message := st.session_state.pop("message-once", ""):
        st.info(prose(message), icon=":material/history:")


def _now(run_id: str, known: str) -> None:
    """What changes while it runs. The page follows what is drawn: else a press that came meanwhile would be lost."""
    run = session.store().runs.fetch(run_id)
    _draw(run)
    if run.status != known:
        st.rerun()


def _draw(run: Run) -> None:
    parts = session.store().history.shard_totals([run]).get(run.id)
    whole = run if parts is None else parts.with_merge(run)
    _state(whole)
    show_actions(run)
    left, right = st.columns([5, 2], gap="large")
    with left:
        headline(run)
        if run.kind == "train" and run.attempt > 0:
            training.curves(run)
        show_shards(run)
        st.markdown("**Log**")
        show_log(run)
    with right:
        show_facts(whole, in_shards=parts is not None)


def _state(run: Run) -> None:
    view = session.queue().view()
    with st.container(horizontal=True, vertical_alignment="center"):
        run_state.show_badge(run.shown_status)
        st.markdown(prose(run_state.sentence(run, view)), width="stretch")
    if run_state.is_active(run):
        if run.shown_status != "queued":
            st.progress(progress.fraction(run), text=progress.text(run))
        return
    if run.message:
        (st.error if run.status == "failed" else st.info)(prose(for_reader(run.message)))
    if run.status != "done" and run.progress.get("total"):
        st.progress(progress.fraction(run), text=progress.text(run))
    run_state.show_notes(run_state.notes_of(run))


def _tabs(run: Run) -> None:
    history = session.store().history
    bodies: tuple[Callable[[], None], ...] = (
        lambda: show_parameters(run),
        lambda: show_lineage(run, history),
        lambda: show_attempts(run),
        lambda: show_changes(run, history),
        lambda: show_environment(run),
    )
    for tab, body in zip(st.tabs(TABS, key="about", on_change="rerun", bind="query-params"), bodies, strict=True):
        if tab.open:
            with tab:
                body()


MOST_LETTERS = 40  # of the name of the data set, whose column is narrow


def headline(run: Run) -> None:
    """The numbers that say what a finished run found."""
    numbers = headlines(run)
    if not numbers:
        return
    with st.container(horizontal=True):  # five of them, in columns, would cut their numbers
        for one, text in numbers:
            st.metric(one.heading, text, help=one.about, border=True, width="content")
    if said := empty_maps(run):
        st.caption(said)


def show_facts(run: Run, *, in_shards: bool) -> None:
    """When, where, how long, how much. ``in_shards``: the run was, and has ended; it is given with what they took."""
    tables.show("About this run", ("About", ""), facts(run, in_shards=in_shards))


def facts(run: Run, *, in_shards: bool = False) -> list[Row]:
    """One row a fact, those that are known."""
    found: list[tuple[str, str | datetime | None]] = [
        ("Data", _data(run)),
        ("Submitted", run.created_at),
        ("By", run.created_by),
        ("Waited", _waited(run)),
        ("Started", run.started_at),
        ("Ended", run.finished_at),
        ("Time", duration(run.passed_s) if in_shards and run.passed_s is not None else None),
        ("Computing time", duration(run.seconds) if run.seconds else None),
        ("Attempts", str(run.attempt) if run.attempt else None),
        ("Worker", run.worker),
        ("Device", run.device),
        ("Peak memory", f"{run.peak_memory_mb:,.0f} MB" if run.peak_memory_mb else None),
        ("Priority", str(run.priority) if run.priority else None),
        ("Code", run.code_version),
    ]
    return [[TableText(name, "gray"), value] for name, value in found if value]


def _data(run: Run) -> str:
    """The data set, and which version of it where there are several."""
    datasets = session.store().datasets
    try:
        used = datasets.fetch(run.dataset_id)
    except NotFoundError:
        return f"{run.dataset_id}, removed"
    versions = [one.id for one in reversed(datasets.versions(used))]
    which = f", version {versions.index(used.id) + 1} of {len(versions)}" if len(versions) > 1 else ""
    return f"{shortened(used.name, MOST_LETTERS)}{which}"


def _waited(run: Run) -> str | None:
    """In the queue, until its only attempt began; of several, *What happened* says when each did."""
    if run.attempt > 1 or run.started_at is None or run.queued_at is None:
        return None
    return duration(max(0.0, (run.started_at - run.queued_at).total_seconds()))


def show_actions(run: Run) -> None:
    """One row of buttons; those that change something are a lead's.

    What opens has a key: else it closes, where the state of the run changes which buttons stand before it.
    """
    may = session.viewer().may("lead")
    with st.container(horizontal=True, vertical_alignment="center", key=f"actions-{run.id}"):
        if run.status == "done" and run.kind in comparison.RESULT_PAGES:
            page, link = comparison.page_of(run)
            next_step.link(page, "Result", **link)
        if run_state.is_active(run):
            progress.stop_button(run)
        if may:
            run_state.remedy_button(run)
        if (
            may and run.status in UNFINISHED and run_state.cause_of(run).id == run.id
        ):  # else it is refused: see the next step
            run_state.retry_button(run)
        if may:
            _again(run)
        _command(run)
        if may and not run_state.is_active(run):
            delete_button(run)


def _again(run: Run) -> None:
    with st.popover("Run again", icon=":material/refresh:", key=f"ask-again-{run.id}"):
        st.markdown("The same step on the same inputs, as a new run. Another seed gives another random result.")
        seed = submit.field(parameters(Spec)["seed"], int(run.spec.get("seed", 0)), key=f"again-{run.id}")
        pressed = reruns.button_once("Run it again", type="primary", key=f"again-{run.id}")
    if pressed:
        with errors_shown():
            new, created = actions.run_again(run, seed=int(seed))
            st.session_state["message-once"] = "" if created else f"The run with seed {seed} exists already."
            next_step.go_to("jobs", run=new.id)


def _command(run: Run) -> None:
    with st.popover("Copy as command", icon=":material/terminal:", key=f"command-{run.id}"):
        try:
            line = command(parse_spec(run.spec))
        except SlimError as error:  # a spec of another version
            st.markdown(prose(error))
            return
        st.markdown(
            f"Queues exactly this step, from {export.where()}. A step that is done already is not run again, "
            "except with `--force`."
        )
        export.show_command(line)


MOST_NAMED = 5


def delete_button(run: Run) -> None:
    """Asks first; with runs or campaigns that hang on it, only a tick lets it go."""
    dependants = find_dependants(session.store(), run)
    is_overtaken = reruns.overtaken(f"dependants-{run.id}", _ids(dependants))
    with st.popover("Delete", icon=":material/delete:", key=f"ask-delete-{run.id}"):
        named = verbatim(run.name or run.kind)
        st.markdown(f"Delete **{named}**? Its results, log and checkpoints are deleted. Images and answers are kept.")
        if dependants.runs:
            st.markdown(_runs(dependants.runs))
        if dependants.campaigns:
            st.markdown(_campaigns(dependants.campaigns))
        cascade = bool(dependants) and st.checkbox(_tick(dependants), key=f"cascade-{run.id}")
        blocked = bool(dependants) and not cascade
        if st.button("Yes, delete it", key=f"delete-{run.id}", type="primary", disabled=blocked):
            with errors_shown():
                _require_as_listed(is_overtaken)
                actions.delete_run(run.id, cascade=cascade)
                pick.forget_runs([one.id for one in (run, *dependants.runs)])
                next_step.go_to("jobs")


def _ids(dependants: Dependants) -> set[str]:
    return {run.id for run in dependants.runs} | {campaign.id for campaign in dependants.campaigns}


def _require_as_listed(is_overtaken: bool) -> None:
    """What goes is what was read before the press.

    Raises:
        ConflictError: somebody else has made something from the run since.
    """
    if is_overtaken:
        raise ConflictError("What depends on it has changed meanwhile: read the list above, then press again.")


def _runs(others: Sequence[Run]) -> str:
    """All that go with it, by their kind: also those that were made from what was made from it."""
    are = "run was made from it, and is" if len(others) == 1 else "runs were made from it, and are"
    by_kind = {kind: [one.id for one in others if one.kind == kind] for kind in TITLES}
    lines = "".join(f"\n- {TITLES[kind]} ({len(ids):,}): {first_few(ids)}" for kind, ids in by_kind.items() if ids)
    n_compared = sum(one.kind == "evaluate" and one.status == "done" for one in others)
    lost = counted(n_compared, "evaluation")
    compared = f"\n\n{lost} can no longer be seen on Compare." if n_compared else ""
    return f"{len(others):,} {are} deleted with it:\n{lines}{compared}"


def _campaigns(campaigns: Sequence[Campaign]) -> str:
    """The campaigns that can ask no more, each with the answers it keeps."""
    spent = {one.id: session.store().answers.cost(one.id).in_words() for one in campaigns[:MOST_NAMED]}
    named = "".join(f"\n- {verbatim(one.name)}: {spent[one.id]}" for one in campaigns[:MOST_NAMED])
    more = f"\n- and {len(campaigns) - MOST_NAMED:,} more" if len(campaigns) > MOST_NAMED else ""
    ask = "1 campaign asks" if len(campaigns) == 1 else f"{len(campaigns):,} campaigns ask"
    return (
        f"{ask} about the deleted space, and can no longer ask or curate:\n{named}{more}\n\n"
        "Their answers are kept: export them on Annotate, and import those about the same images into a campaign on "
        "another space."
    )


def _tick(dependants: Dependants) -> str:
    if not dependants.campaigns:
        return "Also delete these runs"
    is_one = len(dependants.campaigns) == 1
    left = "leave the campaign without its space" if is_one else "leave the campaigns without their space"
    return f"Also delete these runs, and {left}" if dependants.runs else left.capitalize()


LINES = 200  # shown at first, and added by each request for older ones
HEIGHT = 320  # pixels
SHORT = 12  # lines of a finished log that needs no box


def show_log(run: Run) -> None:
    """The end of the log; a long one, or one that grows, in a box that keeps to its end."""
    path = session.store().artifacts.log(run.id)
    if path is None:
        st.caption(why_missing(run))
        return
    wanted = f"log-lines-{run.id}"
    lines = st.session_state.get(wanted, LINES)
    try:
        end = tail(path, lines)
    except OSError as error:  # removed, or moved by its worker, a moment ago
        st.caption(f"The log cannot be read now ({error.strerror}).")
        return
    short = run.ended and end.text.count("\n") <= SHORT
    with st.container(height="content" if short else HEIGHT, autoscroll=True, border=False, key=f"log-{run.id}"):
        st.code(for_reader(end.text) or "Nothing has been logged yet.", language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not end.whole:
            st.button(
                "Older lines", icon=":material/expand_less:", key=f"older-{run.id}", on_click=_more, args=(wanted,)
            )
        export.download_button(
            "Download", lambda: _whole(run.id), f"{run.id}.log", "text/plain", icon="download",
            key=f"download-{run.id}", help="The whole log as a file.",
        )  # fmt: skip
        st.caption("The whole log." if end.whole else f"The last {lines:,} lines.")


def _more(wanted: str) -> None:
    st.session_state[wanted] = 4 * st.session_state.get(wanted, LINES)


def _whole(run_id: str) -> bytes:
    """Read when the button is pressed: a finished run's log lies elsewhere than that of one under way."""
    path = session.store().artifacts.log(run_id)
    return for_reader(path.read_text(errors="replace")).encode() if path else b""


COLUMNS = ("Shard", "Status", "Images", "Time", "Worker")


def show_shards(run: Run) -> None:
    """One row a shard, which leads to it; nothing for most runs."""
    shards = session.store().runs.shards(run.id)
    if not shards:
        return
    done = sum(shard.status == "done" for shard in shards)
    title, key = f"Shards: {done} of {len(shards)} done", f"shards-of-{run.id}"  # else another title unfolds it again
    with st.expander(title, expanded=not run.ended, key=key):
        tables.show("Shards", COLUMNS, [row(shard) for shard in shards])


def row(shard: Run) -> Row:
    """One shard as cells."""
    total = shard.progress.get("total") or 0
    return [
        TableText(f"{shard.spec['shard'] + 1} of {shard.spec['shards']}", run=shard.id),
        run_state.badge_cell(shard.status),
        f"{round(progress.fraction(shard) * total):,} of {total:,}",
        duration(shard.seconds) if shard.seconds else "–",
        shard.worker or "–",
    ]
