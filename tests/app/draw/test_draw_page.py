"""Draw, empty, filled, for those who may not draw, and the button that scores again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app import session
from app.services import queueing, shape_progress
from app.services.results import space_data
from app.session import Viewer
from slim_core.data.report import Imported, ImportReport
from slim_core.runs.executor import open_workbench
from slim_core.steps.specs import parse_spec
from tests.app.conftest import box, hop

BOX = [[[2, 2], [20, 2], [20, 12], [2, 12]]]


def draw(dataset, row: int, id: str = "a") -> None:
    session.store().shapes.keep(dataset.id, row, BOX, (28, 28), id=id)


def test_images_are_proposed_group_by_group_and_the_same_to_everybody(dataset) -> None:
    table = session.store().datasets.table(dataset.id)
    rows, n_open = shape_progress.proposed(dataset.id, "train")
    assert sorted(rows) == table.rows("train").tolist() and n_open == int((~table.has_mask[rows]).sum())
    n_groups = table.n_classes * table.n_attributes
    first = {(table.labels[row], table.attributes[row]) for row in rows[:n_groups]}
    assert len(first) == n_groups  # each group once before any comes again
    assert shape_progress.proposed(dataset.id, "train")[0] == rows


def test_coverage_counts_what_was_drawn_by_class(dataset) -> None:
    before = shape_progress.coverage(dataset.id, "train")
    row = shape_progress.proposed(dataset.id, "train")[0][0]
    draw(dataset, row)
    after = shape_progress.coverage(dataset.id, "train")
    assert (before.n_drawn, after.n_drawn) == (0, 1) and sum(n for _, _, n in after.classes) == after.n
    assert sum(n for _, n, _ in after.classes) == after.n_scored
    assert shape_progress.coverage(dataset.id, "test").n_drawn == 0


@pytest.mark.parametrize("named", ["99999", "five", "-1"])
def test_an_image_of_the_address_that_the_data_set_does_not_have_is_said_once(show, dataset, named) -> None:
    app = show("draw", dataset=dataset.id, row=named)
    assert [f"Image {named} from the address" in toast.value.replace("\\", "") for toast in app.toast] == [True]
    assert "row" not in app.query_params
    app.run()
    assert not app.toast


def opened(app) -> int | None:
    """The image that the browser is told to begin with."""
    (canvas,) = [one for one in app.get("bidi_component") if one.proto.component_name == "slim_draw"]
    return json.loads(canvas.proto.json)["row"]


def test_the_image_of_a_link_is_not_opened_again_in_another_split_or_data_set(show, older, dataset) -> None:
    row = int(session.store().datasets.table(dataset.id).rows("test")[0])
    app = show("draw", dataset=dataset.id, row=str(row), **{"draw-split": "test"})
    assert opened(app) == row and opened(app.run()) == row, "a reload finds it again"
    app.segmented_control(key="draw-split").set_value("train").run()
    assert opened(app) is None and "row" not in app.query_params and not app.toast
    app = show("draw", dataset=dataset.id, row="0")
    box(app, "dataset").select(older.id).run()
    assert opened(app) is None
    assert opened(hop(hop(app, "data"), "draw", dataset=dataset.id, row="1")) == 1, "a link is followed anew"


def test_a_viewer_is_told_who_may_draw(show, dataset, monkeypatch) -> None:
    monkeypatch.setattr(session, "viewer", lambda: Viewer("vic", "viewer"))
    app = show("draw", dataset=dataset.id)
    assert any("Drawing requires the annotator role" in one.value for one in app.caption)


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_one_button_scores_finished_runs_against_what_was_drawn(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    assert queueing.outdated(dataset.id) == []
    assert not any("scored before" in one.value for one in show("draw", dataset=dataset.id).markdown)
    draw(dataset, int(store.datasets.table(dataset.id).rows("test")[0]))
    behind = queueing.outdated(dataset.id)
    assert {run.kind for run in behind} == {"gradcam", "evaluate"}
    app = show("draw", dataset=dataset.id)
    assert any(f"{len(behind)} runs were" in one.value for one in app.markdown)
    app.button(key="score-again").click().run()
    queued = store.runs.all(status="queued", dataset=dataset.id)
    assert len(queued) == len(behind) and {run.spec["shapes_seq"] for run in queued} == {1}
    assert queueing.outdated(dataset.id) == []  # they are on their way


def stop_or_resume(app, what: str) -> None:
    next(one for one in app.button if str(one.key).startswith(f"{what}-p")).click().run()
    assert not app.exception


@pytest.mark.usefixtures("filled_home")
def test_scoring_under_way_is_one_line_that_a_reload_finds_again_stopped_and_resumed_as_one(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    draw(dataset, int(store.datasets.table(dataset.id).rows("test")[0]))
    n = len(queueing.outdated(dataset.id))
    show("draw", dataset=dataset.id).button(key="score-again").click().run()
    app = show("draw", dataset=dataset.id)  # another browser
    told = [one.value for one in app.markdown]
    assert any("**Score again**" in one for one in told)
    assert f"Step 1 of {n}" in app.get("progress")[0].proto.text
    stop_or_resume(app, "stop")
    assert {run.status for run in store.runs.all() if run.spec.get("shapes_seq")} == {"canceled"}
    stop_or_resume(show("draw", dataset=dataset.id), "resume")
    assert {run.status for run in store.runs.all() if run.spec.get("shapes_seq")} == {"queued"}


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_scores_that_are_there_say_so(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    draw(dataset, int(store.datasets.table(dataset.id).rows("test")[0]))
    show("draw", dataset=dataset.id).button(key="score-again").click().run()
    pipeline = store.pipelines.all(dataset.id)[0]
    bench = open_workbench(device="cpu")
    for run in pipeline.runs:
        bench.run(parse_spec(run.spec))
    told = [one.value for one in show("draw", dataset=dataset.id).markdown]
    assert any(f"**{len(pipeline.runs)} runs** scored again" in one for one in told)


@pytest.mark.usefixtures("filled_home")
def test_a_space_shows_the_scores_of_what_was_drawn() -> None:
    from slim_core.runs.executor import InProcess
    from slim_core.steps.specs import parse_spec

    store = session.store()
    (dataset,) = store.datasets.all()
    space = store.runs.all(kind="space", status="done")[0]
    before = space_data.load(space.id).scores
    row = int(before["row"].iat[0])
    draw(dataset, row)
    spec = store.runs.fetch(space.spec["attention"]).spec
    at = InProcess(store, device="cpu")
    at.wait(at.submit(parse_spec(spec)))
    after = space_data.load(space.id).scores
    changed = (after["aiou"] != before["aiou"]) & (after["aiou"].notna() | before["aiou"].notna())
    assert changed.sum() <= 1 and after.drop(index=0).equals(before.drop(index=0))
    assert not after.iloc[0].equals(before.iloc[0])


@pytest.mark.usefixtures("filled_home")
def test_an_annotator_leaves_the_scoring_to_a_lead(show, monkeypatch) -> None:
    (dataset,) = session.store().datasets.all()
    draw(dataset, 0)
    monkeypatch.setattr(session, "viewer", lambda: Viewer("ann", "annotator"))
    app = show("draw", dataset=dataset.id)
    assert any("Scoring again requires the lead role" in one.value for one in app.caption)
    assert not [one for one in app.button if one.key == "score-again"]


@pytest.fixture
def versions(dataset, tmp_path):
    """The data set of the tests, and a second version of it, in which one label is another."""
    store = session.store()
    table = store.datasets.table(dataset.id)
    labels = table.frame["label"].to_numpy().copy()
    labels[0] = 1 - labels[0]
    changed = replace(table, frame=table.frame.assign(label=labels))
    report = ImportReport(dataset.format, dataset.imported_as, dataset.root, (), n_images=len(table))
    return dataset, store.datasets.register(Imported(changed, report))


def test_an_older_version_is_shown_without_a_canvas(show, versions, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_on = list[str]()
    monkeypatch.setattr("app.draw.canvas.show_canvas", lambda dataset, _split: drawn_on.append(dataset))
    for one in versions:
        show("draw", dataset=one.id)
    assert set(drawn_on) == {versions[1].id}


def test_a_row_that_no_number_can_be_is_none(show, dataset) -> None:
    assert not show("draw", dataset=dataset.id, row="9" * 5_000).exception
