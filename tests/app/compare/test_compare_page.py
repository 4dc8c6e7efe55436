"""Compare, empty, filled and failing."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import sqlalchemy as sa

from app import session
from app.services.results import comparison
from slim_core.formatting import percent
from slim_core.runs.executor import open_workbench
from slim_core.steps.specs import parse_spec
from slim_core.store import schema
from tests.app.as_if import as_if, as_if_not_scored, drawn_on
from tests.app.conftest import button, finish, texts
from tests.placed_quickly import placed_quickly

pytestmark = pytest.mark.usefixtures("filled_home")


def evaluations():
    return session.store().runs.all(kind="evaluate")


def test_runs_stand_side_by_side_with_what_they_cost(show) -> None:
    app = show("compare")
    table = app.dataframe[0].value
    erm, slim = reversed(evaluations())
    assert table["wga"].tolist() == pytest.approx([100 * one.metrics["wga"] for one in (erm, slim)])
    assert table["label"].tolist()[0].startswith("⚑ ERM"), "the baseline is pinned"
    assert table["answers"].tolist() == [0, 24]
    assert table["share"].tolist() == pytest.approx([0, 10])
    assert table["run"].tolist() == [f"jobs?run={one.id}" for one in (erm, slim)]
    assert table["answered_by"].fillna("nobody").tolist() == ["nobody", "simulated"]
    assert table["minutes"].isna().tolist() == [False, True], "nobody worked on simulated answers"
    assert table["gpu_hours"].tolist() == [0, 0]
    assert table["attention_coverage"].tolist() == [100, 100]
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize(("view", "n_charts"), [("Groups", 2), ("Cost", 3), ("Seeds", 1), ("Attention", 1)])
def test_each_view_has_an_address_and_its_charts(show, view, n_charts) -> None:
    app = show("compare", view=view)
    assert len(app.get("plotly_chart")) == n_charts
    assert not app.error


def as_if_on_spaces(*spaces: str) -> None:
    """As if the data had no attributes and each evaluation, the newest first, had groups of its own space."""
    store = session.store()
    for one, space in zip(evaluations(), spaces, strict=True):
        values = {"spec": one.spec | {"space": space}, "metrics": one.metrics | {"estimated_groups": True}}
        with store.database.write() as connection:
            connection.execute(sa.update(schema.runs).where(schema.runs.c.id == one.id).values(values))


def drawn_runs(app) -> set[str]:
    return {trace["name"] for trace in json.loads(app.get("plotly_chart")[0].proto.spec)["data"]}


def test_estimated_groups_of_two_spaces_are_not_compared_group_by_group(show) -> None:
    space = session.store().runs.all(kind="space")[0].id
    as_if_on_spaces("r-another", space)
    slim, erm = evaluations()
    app = show("compare", baseline=erm.id, runs="all")
    table = app.dataframe[0].value
    assert table["change"].isna().all() and table["wga"].notna().all()
    assert table["worst_group"].str.endswith("(other groups)").tolist() == [False, True]
    assert drawn_runs(app) == {"ERM"}
    assert "**Other estimated groups:** SLIM" in texts(app) and "by group with ERM" in texts(app)
    app.button(key="same-groups").click().run()
    (queued,) = session.store().runs.all(kind="evaluate", status="queued")
    assert (queued.spec["model"], queued.spec["space"]) == (slim.spec["model"], erm.spec["space"])
    seeds = show("compare", baseline=erm.id, runs="all", view="Seeds").dataframe[1].value
    assert seeds["change"].isna().all() and seeds["pairs"].tolist() == [0, 0]


def test_estimated_groups_of_one_space_are_compared(show) -> None:
    as_if_on_spaces("r-one", "r-one")
    app = show("compare")
    assert app.dataframe[0].value["change"].notna().tolist() == [False, True] and len(drawn_runs(app)) == 2
    assert "not comparable" not in texts(app)


def test_drawings_that_no_run_is_scored_against_lead_to_scoring(show) -> None:
    as_if_not_scored()
    assert "images have none" in texts(show("compare", view="Attention"))
    drawn_on(2)
    app = show("compare", view="Attention")
    assert "2 test images have a drawing that" in texts(app)
    assert "have none" not in texts(app)
    assert any("Score them" in link.proto.label for link in app.get("page_link"))


def test_of_evaluations_without_maps_nobody_is_sent_to_draw_what_has_masks(show) -> None:
    as_if_not_scored(with_maps=False)
    app = show("compare", view="Attention")
    assert "models were evaluated" in texts(app) and "have none" not in texts(app)
    assert not [link for link in app.get("page_link") if link.proto.page == "draw"]


def test_minutes_that_nobody_spent_are_not_drawn_and_a_sentence_says_why(show) -> None:
    page = show("compare", view="Cost")
    drawn = [json.loads(chart.proto.spec)["layout"]["xaxis"]["title"]["text"] for chart in page.get("plotly_chart")]
    assert drawn[:2] == ["images asked about", "training images"] and drawn[2].startswith("compute seconds")
    told = texts(page)
    assert told.count("the simulated annotator") == 2 and "annotation time" in told


def test_a_link_brings_back_runs_baseline_and_filter(show) -> None:
    slim, erm = (one.id for one in evaluations())
    app = show("compare", runs=slim, baseline=slim, find="slim")
    assert app.selectbox(key="pick-baseline").value == slim
    assert len(app.dataframe[0].value) == 1
    app = show("compare", runs=f"{slim},{erm}", baseline=erm)
    assert app.query_params["runs"] == "all" and app.query_params["baseline"] == erm


def test_what_is_ticked_stays_so_while_a_filter_hides_it(show) -> None:
    slim, erm = (one.id for one in evaluations())
    app = show("compare", runs=erm, baseline=erm)
    for words, n_shown, ticked in (("slim", 1, []), ("", 2, [0])):
        app.text_input(key="find").set_value(words).run()
        assert len(app.dataframe[0].value) == n_shown and app.query_params["runs"] == erm
        assert list(json.loads(app.dataframe[0].proto.selection_default)["selection"]["rows"]) == ticked
    app = show("compare", runs=slim, baseline=erm, find="slim")
    assert app.query_params["runs"] == slim, "it is all that is shown, and not all there are"


def test_the_link_to_a_result_on_another_split_shows_its_two_models(show) -> None:
    store = session.store()
    for one in reversed(evaluations()):
        on_val, _ = store.runs.submit(parse_spec(one.spec | {"split": "val"}))
        finish(on_val.id, one.metrics)
    after, before = evaluations()[:2]
    app = show("compare", **comparison.compare_parameters(before, after))
    assert app.selectbox(key="pick-baseline").value == before.id and app.query_params["runs"] == "all"
    assert "Tick the runs" not in texts(app)


def test_with_no_run_ticked_or_none_that_passes_the_page_says_what_to_do(show) -> None:
    assert "Tick the runs" in texts(show("compare", runs="none"))
    assert "matches these filters" in texts(show("compare", find="no such name"))


def test_a_deleted_or_foreign_run_of_a_link_is_told_and_left_out(show) -> None:
    store = session.store()
    slim, erm = evaluations()
    store.runs.delete(slim.id)
    app = show("compare", runs=f"{slim.id},{erm.id},{erm.spec['model']},r-unheard", baseline=slim.id)
    told = texts(app)
    assert f"Run {slim.id} was deleted on" in told and "is a train run" in told and "no run r-unheard" in told
    assert app.selectbox(key="pick-baseline").value == erm.id
    assert len(app.dataframe[0].value) == 1
    (said,) = app.toast  # changes are against another model than the link's
    assert f"{slim.id} was deleted on" in said.value
    assert "1 more run of the link is missing." in texts(show("compare", runs="r-1,r-2,r-3,r-4"))


def test_the_images_behind_a_group_have_an_address_wrong_ones_first(show) -> None:
    erm = evaluations()[-1]
    as_if(erm.id, correct=20)  # the first 20 of the 30 of each group
    assert "unknown group" in texts(show("compare", cell=f"{erm.id}.group.{'9' * 5_000}"))
    cell = f"{erm.id}.group.{erm.metrics['groups'][1]['group']}"
    app = show("compare", cell=cell)
    assert "10 wrong of 30" in texts(app)
    page = next(block.proto.body for block in app.get("html") if "slim-pictures" in block.proto.body)
    assert page.count("slim-tile") == 24 and f"run={erm.id}" in page
    assert re.findall("[✗✓]", page) == ["✗"] * 10 + ["✓"] * 14
    narrowed = show("compare", cell=cell, behind="right")
    (shown,) = [block.proto.body for block in narrowed.get("html") if "slim-pictures" in block.proto.body]
    assert re.findall("[✗✓]", shown) == ["✓"] * 20


def test_a_cell_of_a_deleted_run_or_missing_file_is_one_sentence(show) -> None:
    slim, erm = evaluations()
    (session.store().artifacts.folder(erm.id) / "predictions.parquet").unlink()
    shutil.rmtree(session.store().artifacts.folder(slim.id))
    app = show("compare", cell="r-gone.group.0")
    assert "was deleted" in texts(app)
    app.run()
    assert "was deleted" not in texts(app) and "cell" not in app.query_params, "it is said once"
    assert f"predictions of {erm.id} are missing" in texts(show("compare", cell=f"{erm.id}.group.0"))
    assert "predictions of" in texts(show("compare", view="Attention"))
    app = show("compare", cell=f"{slim.id}.group.0")
    assert f"no artifacts of {slim.id}" in texts(app)
    assert len(app.dataframe[0].value) == 2, "the numbers are in the database, and stay"


def test_before_and_after_shows_the_same_images_under_both_attentions(show) -> None:
    slim, erm = evaluations()
    app = show("compare", view="Attention", outcome="all")
    assert f"Scored on {percent(1.0)} of" in texts(app)
    page = next(block.proto.body for block in app.get("html") if "slim-pictures" in block.proto.body)
    assert page.count(f"run={erm.id}") == page.count(f"run={slim.id}") == 2 * 12, "each picture and its large version"


def test_evaluations_without_maps_can_be_repeated_from_here(show) -> None:
    store = session.store()
    slim, erm = evaluations()
    for one in (slim, erm):
        (store.artifacts.folder(one.id) / "maps.npy").unlink()
    for run in store.runs.all(kind="gradcam"):
        (store.artifacts.folder(run.id) / "maps.npy").unlink()
    app = show("compare", view="Attention")
    rows = comparison.read(erm.dataset_id).rows["label"]
    assert f"attention maps of {rows[erm.id]} and {rows[slim.id]}." in texts(app)
    again = app.button(key="evaluate-again-0")
    for _ in range(2):
        again.click().run()
        assert not app.exception and len(store.runs.all(kind="evaluate", status="queued")) == 2, (
            "a second press is void"
        )
    assert {run.spec["model"] for run in store.runs.all(kind="evaluate", status="queued")} == {
        slim.spec["model"],
        erm.spec["model"],
    }
    app = show("compare", view="Attention")
    assert "They are evaluated" in texts(app) and "Evaluate again" not in str([one.label for one in app.button])
    (of_erm,) = [
        run for run in store.runs.all(kind="evaluate", status="queued") if run.spec["model"] == erm.spec["model"]
    ]
    store.attempts.request_stop(of_erm.id, by="ann")
    button(show("compare", view="Attention"), "Evaluate again").click().run()
    queued = store.runs.all(kind="evaluate", status="queued")
    assert len(queued) == 2 and len({run.spec["model"] for run in queued}) == 2, "the one that is not under way"


@pytest.mark.usefixtures("waiting_queue")
def test_an_evaluation_that_is_repeated_is_scored_against_what_is_drawn_now(show) -> None:
    store = session.store()
    slim, erm = evaluations()
    rows = store.datasets.table(erm.dataset_id).rows("test")[:2]
    box = [[[2, 2], [20, 2], [20, 12], [2, 12]]]
    for id, row in zip(("before", "after"), rows, strict=True):
        store.shapes.keep(erm.dataset_id, int(row), box, (28, 28), id=id)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET spec = json_set(spec, '$.shapes_seq', 1) WHERE kind = 'evaluate'")
    for run in (slim, erm, *store.runs.all(kind="gradcam")):
        (store.artifacts.folder(run.id) / "maps.npy").unlink()
    show("compare", view="Attention").button(key="evaluate-again-0").click().run()
    queued = store.runs.all(kind="evaluate", status="queued")
    assert [run.spec["shapes_seq"] for run in queued] == [2, 2] == [store.shapes.newest(erm.dataset_id)] * 2


def test_a_model_without_evaluation_can_be_evaluated_from_here(show) -> None:
    store = session.store()
    doomed = evaluations()[0]
    store.runs.delete(doomed.id)
    app = show("compare")
    app.number_input(key="batch_size-evaluate").set_value(16).run()
    app.button(key="evaluate").click().run()
    assert not app.exception
    queued = store.runs.all(kind="evaluate", status="queued")
    assert [run.spec for run in queued] == [doomed.spec | {"batch_size": 16}]


def test_a_new_evaluation_appears_although_the_others_are_remembered() -> None:
    store = session.store()
    dataset = evaluations()[0].dataset_id
    assert len(comparison.read(dataset).rows) == 2
    store.runs.delete(evaluations()[0].id)
    assert len(comparison.read(dataset).rows) == 1


@pytest.mark.usefixtures("waiting_queue")
def test_a_model_without_a_space_gets_one_by_one_button(show) -> None:
    store = session.store()
    slim, erm = evaluations()
    app = show("compare", view="Space")
    assert len(app.get("plotly_chart")) == 1, "the reference's space alone"
    name = app.selectbox(key="pick-after").format_func(slim.id)
    assert f"attention space of {name} yet" in texts(app).replace("\\", "")
    app.button(key="build-spaces").click().run()
    assert not app.exception
    (pipeline,) = store.pipelines.all(erm.dataset_id)
    maps, space = pipeline.runs
    assert (maps.kind, maps.spec["model"], space.spec["attention"]) == ("gradcam", slim.spec["model"], maps.id)
    assert pipeline.kind == "spaces" and space.spec["split"] == "train"
    assert "build-spaces" not in [one.key for one in app.button], "its steps are followed instead"


@pytest.mark.slow
def test_the_spaces_of_two_models_are_one_figure(show) -> None:
    slim, erm = evaluations()
    at = open_workbench(device="cpu")
    maps = at.run(parse_spec({"kind": "gradcam", "dataset": erm.dataset_id, "model": slim.spec["model"]}))
    with placed_quickly():
        after = at.run(parse_spec({"kind": "space", "dataset": erm.dataset_id, "attention": maps.id}))
    at.store.close()
    app = show("compare", view="Space")
    (figure,) = app.get("plotly_chart")
    drawn = json.loads(figure.proto.spec)
    assert {trace["xaxis"] for trace in drawn["data"]} == {"x", "x2"}
    assert "build-spaces" not in [one.key for one in app.button]
    links = [link.proto.query_string for link in app.get("page_link")]
    assert any(f"run={after.id}" in link for link in links), "each is one click away"


def test_the_next_thing_fits_what_the_loop_has_shown(show) -> None:
    slim, erm = evaluations()
    as_if(slim.id, correct=5)
    as_if(erm.id, correct=5)
    assert "**Next:** answer more images" in texts(show("compare"))
    as_if(slim.id, correct=25)
    as_if(erm.id, correct=2)
    told = texts(show("compare"))
    assert "does as well" in told and "answer more images" not in told


def test_with_one_model_the_next_thing_is_the_next_step_of_the_loop(show) -> None:
    store = session.store()
    slim, _ = evaluations()
    store.runs.delete(slim.id)
    told = texts(show("compare"))
    assert "answer more images" not in told and "**Next:**" in told
    evaluated = parse_spec(slim.spec | {"batch_size": 8})
    run, _ = store.runs.submit(evaluated)
    assert "**Next:** The Compare step is waiting in" in texts(show("compare"))
    store.attempts.request_stop(run.id)
    assert "**Next:** press *Evaluate on test* above." in texts(show("compare")), "it is done on this page"
