"""The walk along the links of runs: the graph around a run from plain lists, and the links of the database."""

from __future__ import annotations

from slim_core.steps.specs import GradcamSpec, SpaceSpec
from slim_core.store.runs.lineage import MOST_CHILDREN, MOST_RUNS, LineageGraph, Link, RunGraph, trace
from tests.slim_core.store.store_makers import statements, train_spec


def traced(run: str, links: list[Link], **depths: int) -> LineageGraph:
    """The lineage in a world of these links alone."""
    return trace(
        run,
        lambda ids: [link for link in links if link.child in ids],
        lambda ids: [link for link in links if link.parent in ids],
        **depths,
    )


LOOP = [
    Link("model", "maps", "model"),
    Link("maps", "space", "attention"),
    Link("space", "subset", "space"),
    Link("model", "robust", "reference"),
    Link("subset", "robust", "subset"),
    Link("model", "before", "model"),
    Link("robust", "after", "model"),
]


def test_a_subset_comes_from_a_space_maps_and_a_model_and_leads_to_a_robust_model() -> None:
    found = traced("subset", LOOP)
    assert set(found.runs) == {"subset", "space", "maps", "model", "robust", "after"}
    assert found.runs[0] == "subset"
    assert Link("subset", "robust", "subset") in found.links
    assert not found.hidden and not found.cut


def test_siblings_are_left_out() -> None:
    assert "before" not in traced("after", LOOP).runs  # it shares the reference model, and nothing else


def test_links_among_shown_runs_are_all_there_and_there_once() -> None:
    found = traced("model", LOOP)
    assert sorted(found.links, key=str) == sorted(LOOP, key=str)


def test_the_way_up_ends_at_the_depth_and_says_so() -> None:
    found = traced("after", LOOP, ancestors=1)
    assert set(found.runs) == {"after", "robust"}
    assert found.cut
    assert not traced("after", LOOP, ancestors=5).cut


def test_the_way_down_ends_at_the_depth_and_counts_the_rest() -> None:
    found = traced("model", LOOP, descendants=1)
    assert set(found.runs) == {"model", "maps", "robust", "before"}
    assert found.hidden == {"maps": 1, "robust": 1}


def test_of_many_children_the_first_are_shown_and_the_rest_counted() -> None:
    found = traced("model", [Link("model", f"r{n}", "model") for n in range(MOST_CHILDREN + 30)])
    assert len(found.runs) == 1 + MOST_CHILDREN
    assert found.hidden == {"model": 30}


def test_a_child_that_reads_its_parent_twice_counts_once() -> None:
    links = [Link("model", f"r{n}", role) for n in range(MOST_CHILDREN + 1) for role in ("model", "reference")]
    assert traced("model", links).hidden == {"model": 1}


def test_a_graph_stays_small_enough_to_read() -> None:
    tree = [Link(f"n{n}", f"n{8 * n + child}", "model") for n in range(600) for child in range(1, 9)]
    found = traced("n0", tree)
    assert len(found.runs) <= MOST_RUNS
    assert sum(found.hidden.values()) > 0


def test_a_circle_ends() -> None:
    assert set(traced("a", [Link("a", "b", "x"), Link("b", "a", "x")]).runs) == {"a", "b"}


def chain_of_runs(store, dataset, n: int) -> list[str]:
    """A training, and below it ``n`` attention passes, each with its space."""
    model = store.runs.submit(train_spec(dataset))[0].id
    passes = [store.runs.submit(GradcamSpec(dataset=dataset.id, model=model, seed=seed))[0].id for seed in range(n)]
    spaces = [store.runs.submit(SpaceSpec(dataset=dataset.id, attention=one, split="train"))[0].id for one in passes]
    return [model, *passes, *spaces]


def test_ancestors_and_descendants_of_many_runs_take_one_query_a_level(store, dataset) -> None:
    model, *below = chain_of_runs(store, dataset, 5)
    passes, spaces = below[:5], below[5:]
    with statements(store.database) as sent:
        assert store.lineage.ancestors(spaces) == [*passes, model]
        assert store.lineage.descendants([model]) == [*passes, *spaces]
    assert sum("run_parents" in one for one in sent) == 6


def test_runs_read_together_have_the_lineage_the_database_has(store, dataset) -> None:
    model, attention, space = chain_of_runs(store, dataset, 1)
    graph = RunGraph(store.runs.all())
    assert [run.id for run in graph.lineage(graph.runs[space])] == [space, attention, model]
    assert store.lineage.ancestors([space]) == [attention, model]
    assert graph.attentions_of(graph.runs[space]) == [], "nothing is finished yet"
