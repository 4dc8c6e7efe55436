"""The lineage of a run as a graph in Graphviz's language: data set to model, maps, space, answers, subset, result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.ui.runs import state
from slim_core.evaluation.charts.layout import BLUE, GREEN, GREY, INK, ORANGE, VERMILION
from slim_core.store.runs.kinds import title_of

if TYPE_CHECKING:
    from slim_core.store import Run
    from slim_core.store.runs.lineage import LineageGraph

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
    status = state.WORDS[run.status]
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
