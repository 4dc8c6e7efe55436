"""Studies, empty, under way, and with a case that failed."""

from __future__ import annotations

import pandas as pd
import pytest

from app import session
from app.studies.parts import table
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.evaluation.study import text
from slim_core.runs.study.spec import Study
from tests.app.conftest import Show, texts

STUDY = Study(
    name="choose",
    sets=["digits", "patch"],
    methods=["erm-converged", "slim"],
    seeds=[0, 1, 2],
    curve=[0.01],
    answers=0.03,
)
CONTENT_PX = 1_060  # of a window of 1,440
WGA = {"erm-converged": 0.7, "slim": 0.85}


def entry(name: str, seed: int, method: str, share: float = 0.0, **found: object) -> dict[str, object]:
    about = {"set": name, "seed": seed, "method": method, "annotator": "perfect" if share else "", "answers": share}
    about |= {"label": method, "labels_used": "answers" if share else "none", "zero_of": []}
    numbers = {"status": "done", "wga": WGA[method] + seed / 100 * (1 + share), "average": 0.9, "n_answers": 72}
    return {**about, **numbers, "attention_precision": 0.3, "seconds": 40.0, **found}


@pytest.fixture
def study(empty_home) -> str:
    """A study of two sets and three seeds, of which one case failed and the others ended."""
    assert empty_home
    studies = session.store().studies
    kept = studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 18)
    for name in ("digits", "patch"):
        for seed in STUDY.seeds:
            entries = [
                entry(name, seed, "erm-converged"),
                entry(name, seed, "slim", 0.03),
                entry(name, seed, "slim", 0.01),
            ]
            for one in entries:
                studies.record(kept.id, f"{name} {seed} {one['method']} {one['answers']}", one)
    lost = entry("patch", 1, "erm-converged", status="failed", message="The loss became nan.", wga=None)
    studies.record(kept.id, "patch 1 erm-converged 0.0", lost)
    return kept.id


@pytest.mark.usefixtures("empty_home")
def test_without_a_study_the_page_shows_a_file_that_works(show: Show) -> None:
    import yaml

    app = show("studies")
    assert "slim study study.yaml" in texts(app)
    example = Study(**{"name": "study", **yaml.safe_load(app.code[0].value)})
    assert example.seeds == (0, 1, 2, 3, 4) and example.annotators[1].unsure == 0.25


def test_with_data_the_file_that_is_shown_is_of_the_newest_set_by_its_name(empty_home, tmp_path, show: Show) -> None:
    import yaml

    assert empty_home
    write_demo(tmp_path / "images", DemoConfig(train=8, val=8, test=8))
    dataset = session.store().datasets.register(import_data(tmp_path / "images"))
    session.store().notes.rename(dataset.id, "birds: {sea, land}, 2nd")
    shown = yaml.safe_load(show("studies").code[0].value)
    assert [one.data for one in Study(**{"name": "study", **shown}).sets] == ["birds: {sea, land}, 2nd"]


@pytest.mark.parametrize("others", [True, False])
def test_a_link_to_a_study_that_there_is_not_says_so_of_studies(
    show: Show, others: bool, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("study" if others else "empty_home")
    app = show("studies", study="s-gone")
    assert [toast.value for toast in app.toast] == ["The study s-gone from the address does not exist."]
    assert bool(app.dataframe) == others  # the newest is shown instead


def test_the_table_names_the_labels_and_pairs_by_seed(show: Show, study: str) -> None:
    app = show("studies", study=study)
    shown = app.dataframe[0].value
    assert shown["method"].tolist() == ["erm-converged", "slim"]
    assert shown["labels"].tolist() == ["none", "answers"]
    assert shown["n"].tolist() == [2, 3], "seed 1 is not whole: one set has no number"
    assert shown["minus"].tolist()[0] == pytest.approx(15.03), "of seeds 0 and 2"
    assert shown["interval"].tolist() == ["–", "–"], "two pairs are too few"
    assert "18 of 18 cases" in texts(app)
    assert "patch, erm-converged, seed 1: The loss became nan." in texts(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_set_has_a_table_of_its_own_with_an_address(show: Show, study: str) -> None:
    app = show("studies", study=study, table="digits", view="Worst group against answers")
    assert app.dataframe[0].value["n"].tolist() == [3, 3]
    assert app.dataframe[0].value["corrected"].tolist() == ["+14.9 to +15.1", "–"], "half 4.303 sd √(1/3 + 0.25/0.6)"
    assert len(app.get("plotly_chart")) == 1 and not app.error


@pytest.mark.usefixtures("empty_home")
def test_while_no_seed_is_whole_the_first_set_with_numbers_is_shown(show: Show) -> None:
    studies = session.store().studies
    begun = studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 12)
    studies.record(begun.id, "patch 0 slim 0.03", entry("patch", 0, "slim", 0.03))
    app = show("studies", study=begun.id)
    assert app.dataframe[0].value["wga"].tolist() == pytest.approx([85.0])


@pytest.mark.usefixtures("empty_home")
def test_the_name_of_a_set_is_read_as_no_markdown(show: Show) -> None:
    named = {"data": "/data/sites", "name": "50% of *sites*"}
    other = Study(name="other", sets=[named], methods=["slim"], seeds=[0], answers=0.03)
    begun = session.store().studies.start(other.name, other.digest, other.model_dump(mode="json"), 1)
    session.store().studies.record(begun.id, "one", entry(named["name"], 0, "slim", 0.03))
    app = show("studies", study=begun.id)
    (tables,) = [one for one in app.segmented_control if one.key == "table"]
    assert tables.value == named["name"] and tables.options == [r"50% of \*sites\*"]


def test_what_a_claim_needs_is_on_screen_at_1440_pixels(show: Show, study: str) -> None:
    order = list(show("studies", study=study).dataframe[0].proto.column_order)
    long = pd.DataFrame({"method": ["m" * 60], "labels": ["l" * 60]})
    seen, widths = order[: order.index("answers") + 1], table.columns("slim", long)
    assert seen == ["method", "labels", "n", "wga", "sd", "minus", "interval", "corrected", "answers"]
    assert sum(widths[name]["width"] for name in seen) <= CONTENT_PX
    short = table.columns("slim", pd.DataFrame({"method": ["ERM, converged", "SLIM"], "labels": ["none", "answers"]}))
    assert sum(short[name]["width"] for name in order) <= CONTENT_PX, "with short names all of it is"


@pytest.mark.usefixtures("filled_home")
def test_single_runs_are_those_of_the_study(show: Show) -> None:
    store = session.store()
    first, second = (run.id for run in store.runs.all(kind="evaluate")[:2])
    kept = store.studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 12)
    evaluations = {("digits", 0): first, ("digits", 1): "r-deleted", ("patch", 0): second}
    for (name, seed), evaluation in evaluations.items():
        store.studies.record(kept.id, f"{name} {seed}", entry(name, seed, "slim", 0.03, evaluation=evaluation))
    for picked, named in (("digits", first), ("patch", second)):
        app = show("studies", study=kept.id, table=picked)
        (link,) = [one.proto for one in app.get("page_link") if one.proto.label == "Compare"]
        assert link.query_string == f"dataset={store.datasets.all()[0].id}&runs={named}"


@pytest.mark.usefixtures("empty_home")
def test_where_every_case_of_a_set_failed_nobody_is_sent_to_the_runs_of_another(show: Show) -> None:
    studies = session.store().studies
    kept = studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 12)
    studies.record(kept.id, "digits", entry("digits", 0, "slim", 0.03))
    lost = entry("patch", 0, "slim", 0.03, status="failed", message="The loss became nan.", wga=None)
    studies.record(kept.id, "patch", lost)
    for picked, is_linked in (("digits", True), ("patch", False)):
        app = show("studies", study=kept.id, table=picked)
        assert ("Compare" in [one.proto.label for one in app.get("page_link")]) == is_linked
        assert ("why the cases of this table failed" in texts(app)) != is_linked


def test_an_interval_that_no_row_has_takes_no_room(show: Show, study: str, monkeypatch) -> None:
    monkeypatch.setattr(text, "is_corrected", lambda _result: False)
    assert "corrected" not in show("studies", study=study).dataframe[0].proto.column_order


@pytest.mark.usefixtures("empty_home")
def test_a_study_without_a_case_yet_says_so(show: Show) -> None:
    session.store().studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 12)
    app = show("studies")
    assert "No case has ended yet" in texts(app)
    assert not app.dataframe
