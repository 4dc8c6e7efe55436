"""Everything a run is made of, a tab each: parameters, lineage, what happened, what changed, environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.ui import next_step, pick, reruns, run_state, tables
from app.ui.messages import for_reader, verbatim
from app.ui.tables import Colour, Row, TableText
from slim_core.errors import SpecRefusedError
from slim_core.evaluation.charts.layout import BLUE, GREEN, GREY, INK, ORANGE, VERMILION
from slim_core.formatting import duration
from slim_core.parameters import Parameter, parameters
from slim_core.runs.details import Difference, differences
from slim_core.steps.specs import parse_spec
from slim_core.store.campaigns.campaigns import answered_in_words
from slim_core.store.results import recorded_environment
from slim_core.store.runs.rows import title_of
from slim_core.store.runs.runs import History, RunFilter

if TYPE_CHECKING:
    from slim_core.parameters import Config
    from slim_core.steps.specs import Spec
    from slim_core.store import Event, Run
    from slim_core.store.runs.lineage import LineageGraph


OF_PARAMETERS = ("Field", "Value", "Default", "Meaning")  # the default where the value differs from it


def show_parameters(run: Run) -> None:
    """The table."""
    parents = {link.parent for link in session.store().lineage.parents([run.id])}
    tables.show("Parameters", OF_PARAMETERS, parameter_rows(run, parents))


def parameter_rows(run: Run, parents: set[str]) -> list[Row]:
    """One row a field: inputs first, then what was changed, then the rest."""
    spec = _parsed(run)
    if spec is None:
        return [_parameter_row(name, value, parents, {}, "") for name, value in run.spec.items() if name != "kind"]
    given, differing, about, unused = spec.inputs(), spec.changed(), parameters(type(spec)), spec.without_effect()
    rank = {**dict.fromkeys(given, 0), **dict.fromkeys(differing, 1)}
    values = {name: value for name, value in spec.model_dump(mode="json").items() if _is_listed(about[name], value)}
    names = sorted((name for name in values if name not in unused), key=lambda name: rank.get(name, 2))
    listed = [
        _parameter_row(name, values[name], parents, differing, about[name].help) for name in names if name != "kind"
    ]
    held = {name: config for name, config in spec.held().items() if name in names}
    return listed + [row for name, config in held.items() for row in _within(values[name] or {}, config)]


def _within(settings: Mapping[str, Any], config: type[Config]) -> list[Row]:
    """One row for each setting in a dict, such as those of a loss; those that differ from their defaults marked."""
    about = parameters(config)
    known = {name: value for name, value in settings.items() if name in about}
    defaults = {name: about[name].default for name in known}  # of several numbers a tuple, and a list in the spec
    changed = {name: default for name, default in defaults.items() if shown(known[name]) != shown(default)}
    return [_parameter_row(name, value, set(), changed, about[name].help) for name, value in known.items()]


def _is_listed(parameter: Parameter, value: Any) -> bool:
    """What people can choose, and of the rest what this run has."""
    return parameter.display.on_command_line or value not in (None, [], {})


def _parameter_row(name: str, value: Any, parents: set[str], differing: dict[str, Any], meaning: str) -> Row:
    is_changed = name in differing
    colour: Colour = "blue" if is_changed else ""
    return [
        TableText(f"● {name}" if is_changed else name, colour),
        TableText(shown(value), colour, run=value if isinstance(value, str) and value in parents else None, code=True),
        TableText(shown(differing[name]) if is_changed else "", "gray", code=True),
        TableText(meaning, "gray"),
    ]


def shown(value: Any) -> str:
    """A value of a spec in a table."""
    if value is None or value == [] or value == {}:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(run: Run) -> Spec | None:
    """None for the spec of another version, which is shown as it is."""
    try:
        return parse_spec(run.spec)
    except SpecRefusedError:
        return None


TEXT = {"light": "#1F2933", "dark": "#E4E8EC"}  # of the theme
MOST_LINKS = 12


def show_lineage(run: Run, history: History) -> None:
    """The graph, and below it the nearest runs as links: the same for keyboards and screen readers."""
    found = session.store().lineage.trace(run.id)
    runs = history.some(found.runs)
    theme = "dark" if st.context.theme.type == "dark" else "light"
    campaigns = _campaigns(runs)
    graph = dot(found, runs, datasets=_datasets(runs), campaigns=campaigns, text=TEXT[theme])
    st.graphviz_chart(graph, width="content", alt=f"Lineage of {run.id}: {len(found.runs)} runs")
    if found.cut:
        st.caption("Earlier runs are left out. Open the leftmost run to see them.")
    links = {
        "Made from": [(link.role, link.parent) for link in found.links if link.child == run.id],
        "Used by": [(link.role, link.child) for link in found.links if link.parent == run.id],
    }
    for column, (title, near) in zip(st.columns(2), links.items(), strict=True):
        with column:
            _links(title, near, runs)
    if runs.keys() >= {run.id}:
        with st.container(horizontal=True):
            next_step.link("data", "Data set", icon="photo_library", dataset=run.dataset_id)
            if run.campaign_id in campaigns:
                about = {"campaign": run.campaign_id, "dataset": run.dataset_id}
                next_step.link("annotate", "Answers", icon="touch_app", **about)


def _links(title: str, near: list[tuple[str, str]], runs: dict[str, Run]) -> None:
    """``near``: (what one run is to the other, id of the other)."""
    st.markdown(f"**{title}**")
    if not near:
        st.caption("No other run.")
    for role, one in near[:MOST_LINKS]:
        if one in runs:
            named = verbatim(runs[one].name or runs[one].kind)
            next_step.link("jobs", f"{role}: {named}", icon="arrow_right_alt", run=one)
        else:
            st.caption(f"{role}: {one} (deleted)")
    if len(near) > MOST_LINKS:
        st.caption(f"and {len(near) - MOST_LINKS} more")


def _datasets(runs: dict[str, Run]) -> dict[str, Source]:
    known = {one.id: one for one in session.store().datasets.all()}
    used = {run.dataset_id for run in runs.values()}
    return {
        one: Source(known[one].name, f"data?dataset={one}", f"{known[one].name}: {known[one].n_images:,} images")
        for one in used & known.keys()
    }


def _campaigns(runs: dict[str, Run]) -> dict[str, Source]:
    """The campaigns whose answers these runs use, by id."""
    campaigns = session.store().campaigns
    used = {run.campaign_id: run.dataset_id for run in runs.values() if run.campaign_id}
    found = {}
    for one in (each for dataset in set(used.values()) for each in campaigns.all(dataset) if each.id in used):
        progress = campaigns.progress(one.id)
        about = f"{one.name}: {answered_in_words(one, progress, 'images')}"
        found[one.id] = Source(one.name, f"annotate?campaign={one.id}&dataset={one.dataset_id}", about)
    return found


MOST_EVENTS = 200
OF_EVENTS = ("When", "Attempt", "What happened", "After")
_ENDS: dict[str, Colour] = {
    "run.done": "green",
    "run.failed": "red",
    "run.canceled": "gray",
    "run.lost": "orange",
    "run.handed_back": "orange",
}


@dataclass(frozen=True)
class AttemptEvent:
    """One event. ``after_s``: seconds since its attempt began, where it belongs to one."""

    at: datetime
    attempt: int
    text: str
    colour: Colour = ""
    after_s: float | None = None


def show_attempts(run: Run) -> None:
    """The table, the oldest first."""
    rows = [_event_row(one) for one in attempt_events(_events(run), run.attempt)]
    tables.show("What happened", OF_EVENTS, rows)


def _events(run: Run) -> list[Event]:
    """The newest ones, the oldest of them first."""
    return session.store().events.recent(MOST_EVENTS, subject=run.id)[::-1]


def attempt_events(events: Sequence[Event], n_attempts: int) -> list[AttemptEvent]:
    """The newest events of one run that has begun ``n_attempts`` times, the oldest first."""
    found: list[AttemptEvent] = []
    attempt, began = max(0, n_attempts - sum(event.what == "run.claimed" for event in events)), None
    for event in events:
        if event.what == "run.claimed":
            attempt, began = attempt + 1, event.at
        after_s = (event.at - began).total_seconds() if began and event.what != "run.claimed" else None
        found.append(AttemptEvent(event.at, attempt, _event_text(event), _ENDS.get(event.what, ""), after_s))
        if event.what in _ENDS:
            began = None
    return found


def _event_text(event: Event) -> str:
    details = event.details
    texts = {
        "run.submitted": f"{event.who} submitted it",
        "run.claimed": f"{event.who} started on {details.get('device') or 'its device'}",
        "run.lost": f"{event.who} {details.get('why') or 'stopped responding'}",
        "run.handed_back": f"{event.who} shut down and requeued it",
        "run.stop": f"{event.who} requested a stop",
        "run.retried": f"{event.who} retried it",
        "run.prioritised": f"{event.who} moved it to the front",
        "run.done": "done",
        "run.failed": f"failed: {for_reader(details.get('message') or 'see the log')}",
        "run.canceled": for_reader(details.get("message") or "stopped"),
    }
    return texts.get(event.what, f"{event.what.removeprefix('run.').replace('_', ' ')} ({event.who})")


def _event_row(one: AttemptEvent) -> Row:
    return [
        one.at,
        str(one.attempt) if one.attempt else "–",
        TableText(one.text, one.colour),
        "" if one.after_s is None else duration(one.after_s),
    ]


MOST = 200  # runs to choose from
PARAM = "with"


def show_changes(run: Run, history: History) -> None:
    """The choice and the table."""
    others = [one for one in history.page(RunFilter(kinds=(run.kind,)), MOST) if one.id != run.id]
    linked = str(st.query_params.get(PARAM, ""))
    by_id = {one.id: one for one in [*others, *history.some([linked]).values()] if one.id != run.id}
    title = title_of(run.kind).lower()
    if not by_id:
        st.caption(f"There is no other {title} run to compare with.")
        return
    key = f"with-{run.id}"
    chosen = st.selectbox(
        "Compare with", list(by_id), list(by_id).index(linked) if linked in by_id else None,
        lambda one: pick.describe(by_id[one]), key=key, on_change=_keep, args=(key,), width=520,
        placeholder=f"Another {title} run", help=f"The newest {MOST} {title} runs.",
    )  # fmt: skip
    if chosen is None:
        st.caption("Choose a run to list the differences, from the inputs to the results.")
        return
    other = session.store().runs.fetch(chosen)
    found = differences(other, run, (read(other), read(run)))
    if not found:
        st.info("The runs are identical: same inputs, parameters, code and results.")
        return
    columns = ("Part", "Field", _named(other), _named(run), "Change")
    tables.show("What changed", columns, [difference_row(one) for one in found])


def _keep(key: str) -> None:
    """The choice goes into the address."""
    reruns.keep_in_address(PARAM, st.session_state[key] or "")


def _named(run: Run) -> str:
    return f"{run.name or run.kind} · {run.id}"


def difference_row(one: Difference) -> list[TableText | str]:
    """One difference as cells."""
    return [
        TableText(one.sort, "gray"),
        one.name,
        TableText(shown(one.first), code=True),
        TableText(shown(one.second), code=True),
        "" if one.change is None else f"{one.change:+.4g}",
    ]


def show_environment(run: Run) -> None:
    """The table, or why there is none."""
    found = read(run)
    if not found:
        st.caption("The environment is recorded when the run starts.")
        return
    packages = found.pop("packages", {})
    known = {name.replace("_", " "): value for name, value in {**found, **packages}.items() if value is not None}
    rows = [[name, TableText(str(value), code=True)] for name, value in known.items()]
    tables.show("Environment", ("What", "Version or value"), rows)


def read(run: Run) -> dict[str, Any]:
    """environment.json of the newest attempt; empty where there is none here."""
    return run_state.newest_record(run, recorded_environment)


_STATUS = {"done": GREEN, "failed": VERMILION, "running": BLUE, "stopping": ORANGE}
_LONGEST = 28  # letters of a name


@dataclass(frozen=True)
class Source:
    """A data set or campaign at the edge of the graph: its name, where a click leads, and what is shown on hover."""

    name: str
    url: str
    about: str = ""


def dot(
    lineage: LineageGraph,
    runs: Mapping[str, Run],
    *,
    datasets: Mapping[str, Source],
    campaigns: Mapping[str, Source],
    text: str,
) -> str:
    """The graph, from left to right; the run asked about has a thick frame.

    Args:
        lineage: what is linked to what.
        runs: by id; a run of the lineage that is missing here was deleted, and is drawn with a broken line.
        datasets: by id; those of runs that read no other run are drawn.
        campaigns: by id; those whose answers a run of the graph used are drawn.
        text: colour of names, which have to be read on a light or a dark page.
    """
    # A box that is filled, if with next to nothing, takes clicks all over.
    lines = [
        'digraph { rankdir=LR; bgcolor="transparent"; nodesep=0.18; ranksep=0.45;',
        'node [shape=box style="rounded,filled" fillcolor="#ffffff01" fontname="sans-serif" fontsize=11',
        f'margin="0.14,0.07" fontcolor="{text}" color="{INK}"];',
        f'edge [color="{INK}" arrowsize=0.6];',
    ]
    lines += [_run_node(one, runs.get(one), one == lineage.run) for one in lineage.runs]
    lines += [f"{_quoted(link.parent)} -> {_quoted(link.child)};" for link in lineage.links]
    lines += [_more(one, n) for one, n in lineage.hidden.items()]
    lines += _sources(lineage, runs, datasets, campaigns)
    return "\n".join([*lines, "}"])


def _run_node(run_id: str, run: Run | None, asked: bool) -> str:
    if run is None:
        label = _quoted(f"{run_id}\ndeleted")
        return f'{_quoted(run_id)} [label={label} style="rounded,filled,dashed" color="{GREY}"];'
    what, name = title_of(run.kind), run.name or run.kind
    status = run_state.WORDS[run.status]
    ended = "" if run.status == "done" else f" ({status})"
    label, about = f"{what}{ended}\n{_short(name)}", f"{name}: {what}, {run.id}, {status}"
    return (
        f'{_quoted(run_id)} [label={_quoted(label)} color="{_STATUS.get(run.status, GREY)}" '
        f'penwidth={3 if asked else 1.2} URL={_quoted(f"jobs?run={run_id}")} target="_top" '
        f"tooltip={_quoted(about)}];"
    )


def _more(run_id: str, n: int) -> str:
    node, label = _quoted(f"more of {run_id}"), _quoted(f"{n:,} more")
    return f'{node} [label={label} shape=plaintext fontcolor="{GREY}"]; {_quoted(run_id)} -> {node} [style=dashed];'


def _sources(
    lineage: LineageGraph, runs: Mapping[str, Run], datasets: Mapping[str, Source], campaigns: Mapping[str, Source]
) -> list[str]:
    children = {link.child for link in lineage.links}
    lines: dict[str, None] = {}
    for run in (runs[one] for one in lineage.runs if one in runs):
        if run.id not in children and run.dataset_id in datasets:
            lines |= dict.fromkeys(_source(run.dataset_id, "data", datasets[run.dataset_id], "cylinder", run.id))
        if (campaign := run.campaign_id) is not None and campaign in campaigns:
            lines |= dict.fromkeys(_source(campaign, "answers", campaigns[campaign], "note", run.id))
    return list(lines)


def _source(node: str, what: str, source: Source, shape: str, run_id: str) -> tuple[str, str]:
    label = _quoted(f"{what}\n{_short(source.name)}")
    return (
        f"{_quoted(node)} [label={label} shape={shape} style=filled "
        f'URL={_quoted(source.url)} target="_top" tooltip={_quoted(source.about or source.name)}];',
        f"{_quoted(node)} -> {_quoted(run_id)};",
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _quoted(text: str) -> str:
    r"""A string of the language: quotes and backslashes are escaped, a new line is ``\n``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ") + '"'
