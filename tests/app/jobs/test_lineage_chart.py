"""The graph of a lineage, in the language of Graphviz."""

from __future__ import annotations

from datetime import UTC, datetime

from app.jobs.about import Source, dot
from slim_core.store import Run
from slim_core.store.runs.lineage import LineageGraph, Link
from slim_core.store.runs.rows import title_of

LINKS = (Link("r-model", "r-space", "attention"), Link("r-space", "r-subset", "space"), Link("r-gone", "r-space", "x"))
LINEAGE = LineageGraph("r-space", LINKS, {"r-space": 12})


def run(name: str, kind: str, **about: object) -> Run:
    return Run(f"r-{name}", kind, f"The {name}", "done", {}, "d-1", "ada", datetime(2026, 1, 1, tzinfo=UTC), **about)


RUNS = {
    "r-model": run("model", "train"),
    "r-space": run("space", "space"),
    "r-subset": run("subset", "curate", campaign_id="c-1"),
}


def drawn(runs: dict[str, Run] = RUNS) -> str:
    datasets = {"d-1": Source('birds "wild"', "data?dataset=d-1")}
    campaigns = {"c-1": Source("first", "annotate?campaign=c-1", "3 of 9 images answered")}
    return dot(LINEAGE, runs, datasets=datasets, campaigns=campaigns, text="#111111")


def test_every_run_is_a_node_with_a_link_and_the_one_asked_about_stands_out() -> None:
    graph = drawn()
    for one in RUNS.values():
        assert f'URL="jobs?run={one.id}"' in graph
        assert f'tooltip="{one.name}: {title_of(one.kind)}, {one.id}, done"' in graph
    thick = [line for line in graph.splitlines() if "penwidth=3" in line]
    assert len(thick) == 1 and thick[0].startswith('"r-space"')


def test_links_lead_from_parents_to_children_and_hidden_children_are_counted() -> None:
    graph = drawn()
    assert '"r-model" -> "r-space";' in graph and '"r-space" -> "r-subset";' in graph
    assert '[label="12 more" shape=plaintext' in graph


def test_data_leads_to_what_reads_no_run_and_answers_to_the_subset() -> None:
    graph = drawn()
    assert '"d-1" -> "r-model";' in graph and '"d-1" -> "r-space";' not in graph
    assert '"c-1" -> "r-subset";' in graph
    assert 'tooltip="3 of 9 images answered"' in graph


def test_a_deleted_run_is_drawn_with_a_broken_line() -> None:
    assert '"r-gone" [label="r-gone\\ndeleted" style="rounded,filled' in drawn()


def test_names_cannot_break_out_of_their_quotes() -> None:
    evil = RUNS | {"r-model": run("model", "train")}
    object.__setattr__(evil["r-model"], "name", 'x" URL="javascript:1\\\nz')
    assert 'birds \\"wild\\"' in drawn()
    assert 'x\\" URL=\\"javascript:1\\\\\\nz' in drawn(evil)
