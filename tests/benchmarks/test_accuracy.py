"""The studies of benchmarks.accuracy: rows are kept and computed once, and every printed number is made from them."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr, stdtrit

from benchmarks.accuracy import compute as computing
from benchmarks.accuracy.cases import OF_CASE, append, read
from benchmarks.accuracy.earlier import EARLIER, USED_ANSWERS
from benchmarks.accuracy.studies import REPORTED, STUDIES, Case, Study, StudySet
from benchmarks.accuracy.tables import (
    CHART,
    OTHERS,
    PAGE,
    README,
    chart,
    glance,
    over_sets,
    put_into,
    sets_in_mean,
    study_table,
    summary,
)
from slim_core.data.sets import make_set
from slim_core.errors import QueueUnavailableError, SpecRefusedError
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import METHODS
from slim_core.settings import settings
from slim_core.store import Store

KEPT = [(study, read(study)) for study in REPORTED.values()]
SETS = (StudySet("digits", "digits"), StudySet("no shortcut", "digits", {"correlation": 0.5}, in_mean=False))
STUDY = Study("asked", "what", SETS, ("random", "slim"), seeds=(1, 2, 3))
FOUND = {"labels_used": "none", "answers": 0, "images": 10, "average": 0.9, "worst_class": 0.8, "attention": None}


def keep(study: Study, folder: Path, wga: dict[str, tuple[float, ...]], **more: object) -> pd.DataFrame:
    """Rows with these worst groups, seed by seed, the same on every set."""
    for case in study.cases():
        value = wga[case.method][study.seeds.index(case.seed)]
        append(study, case, {**FOUND, "seconds": 1.5, "code": "1 abc", "wga": value, **more}, folder)
    return read(study, folder)


@pytest.mark.parametrize(("study", "rows"), KEPT, ids=REPORTED)
def test_each_case_of_a_reported_study_is_there_once(study: Study, rows: pd.DataFrame) -> None:
    there = [Case(**dict(zip(OF_CASE, row, strict=True))) for row in rows[list(OF_CASE)].itertuples(index=False)]
    assert there == list(study.cases())
    used = dict(zip(rows["method"], rows["labels_used"], strict=True))
    assert {name: METHODS[name].labels_used for name in study.methods if name not in EARLIER}.items() <= used.items()
    assert all(("answers" in used[name]) == (name in USED_ANSWERS) for name in study.methods if name in EARLIER)


@pytest.mark.parametrize(("study", "rows"), KEPT, ids=REPORTED)
def test_the_table_of_a_study_is_that_of_its_rows(study: Study, rows: pd.DataFrame) -> None:
    written = f"<!-- {study.name}: begin -->\n\n{study_table(study, rows)}\n\n<!-- {study.name}: end -->"
    assert written in PAGE.read_text(), "python -m benchmarks.accuracy tables"
    assert f"\n## {study.name}\n" in PAGE.read_text()


def test_the_studies_at_a_glance_are_those_of_the_rows() -> None:
    assert f"\n\n{glance(KEPT)}\n\n<!-- glance: end -->" in PAGE.read_text()


def test_the_table_and_the_chart_of_the_readme_are_those_of_the_rows() -> None:
    assert f"\n\n{summary(KEPT)}\n\n<!-- summary: end -->" in README.read_text()
    assert CHART.read_text() == chart(KEPT)


def test_each_number_that_the_readme_claims_is_one_of_the_benchmark() -> None:
    claims = README.read_text().partition("## Does it work?")[2].partition("\n## Read on")[0]
    numbers = set(re.findall(r"\d+\.\d", claims))
    assert len(numbers) > 15 and numbers <= set(re.findall(r"\d+\.\d", PAGE.read_text()))


def test_how_many_differences_at_a_glance_remain_where_all_are_taken_together_is_said() -> None:
    every = [over_sets(study, rows, sets_in_mean(study)) for study, rows in KEPT]
    rows = pd.concat([each[each["method"].isin(list(OTHERS))] for each in every])
    half = (rows["high"] - rows["low"]) / 2
    error = half / stdtrit(rows["pairs"] - 1, 0.975)
    p = np.sort(np.where(half > 0, 2 * stdtr(rows["pairs"] - 1, -(rows["minus"] / error).abs()), 1))
    place, n = np.arange(1, len(p) + 1), len(p)
    by_holm = int(np.logical_and.accumulate(p <= 0.05 / (n + 1 - place)).sum())
    by_rate = int(place[p <= 0.05 * place / n].max())
    said = re.search(
        r"Of the (\d+) differences at a glance (\d+) .*?(\d+) remain.*?(\d+) by Holm", PAGE.read_text(), re.S
    )
    assert said and [int(one) for one in said.groups()] == [n, (p < 0.05).sum(), by_rate, by_holm]


def test_a_difference_is_paired_by_seed_and_its_interval_corrected_where_seeds_part_one_pool(tmp_path: Path) -> None:
    wga = {"random": (0.86, 0.88, 0.90), "slim": (0.90, 0.91, 0.92)}
    pooled = over_sets(STUDY, keep(STUDY, tmp_path, wga), ["digits"]).set_index("method")
    row = pooled.loc["random"]
    assert (row["minus"], row["low"], row["high"]) == pytest.approx((0.03, -0.0072, 0.0672), abs=1e-4)
    assert pooled.loc["slim", "pairs"] == 0
    folders = replace(STUDY, name="folders", sets=tuple(replace(one, demo="", folder="/data") for one in SETS))
    plain = over_sets(folders, keep(folders, tmp_path, wga), ["digits"]).iloc[0]
    assert (plain["low"], plain["high"]) == pytest.approx((0.0052, 0.0548), abs=1e-4)


def test_a_seed_without_one_of_the_sets_is_not_in_the_mean(tmp_path: Path) -> None:
    rows = keep(STUDY, tmp_path, {"random": (0.8, 0.8, 0.8), "slim": (0.9, 0.9, 0.9)})
    whole = over_sets(STUDY, rows, ["digits", "no shortcut"])
    part = over_sets(STUDY, rows.iloc[:-1], ["digits", "no shortcut"])
    assert whole["n"].tolist() == [3, 3] and part["n"].tolist() == [3, 2]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases that are computed, in place of computing them."""
    found: list[Case] = []

    def row(_study: Study, case: Case, _at: Workbench) -> dict[str, object]:
        found.append(case)
        if case.method == "slim" and case.seed == 2:
            raise SpecRefusedError("slim cannot be.")
        return {**FOUND, "wga": 0.7, "seconds": 1.0, "code": "2 def"}

    monkeypatch.setattr(computing, "_row", row)
    return found


def test_what_is_there_is_not_computed_again_and_a_failed_case_is_tried_again(
    tmp_path: Path, computed: list[Case]
) -> None:
    lines: list[str] = []
    assert computing.compute(STUDY, object(), lines.append, tmp_path) == len(SETS)
    assert computed == list(STUDY.cases()) and sum("slim cannot be." in line for line in lines) == len(SETS)
    computed.clear()
    more = replace(STUDY, seeds=(1, 2, 3, 4))
    computing.compute(more, object(), lines.append, tmp_path)
    assert {(case.seed, case.method) for case in computed} == {(2, "slim"), (4, "slim"), (4, "random")}
    assert set(read(more, tmp_path)["wga"]) == {0.7} and read(more, tmp_path)["attention"].isna().all()


def test_a_queue_that_is_away_ends_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise QueueUnavailableError("away")

    monkeypatch.setattr(computing, "_row", away)
    with pytest.raises(QueueUnavailableError):
        computing.compute(STUDY, object(), lambda _line: None, tmp_path)


def test_draws_of_a_case_are_one_row_with_their_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    tiny = {"train": 60, "val": 20, "test": 40, "size": 16}
    digits = StudySet("digits", "digits", tiny, loop={"train": {"image_size": 16, "epochs": 1}})
    study = Study("tiny", "", (digits,), ("erm", "random"), (0,), draws=2)
    with closing(Store.open()) as store:
        said: list[str] = []
        at = Workbench(store, InProcess(store, device="cpu"))
        assert computing.compute(study, at, said.append, tmp_path) == 0, said
        trained = store.runs.all(kind="train", status="done")
    settings.cache_clear()
    rows = read(study, tmp_path)
    assert rows["method"].tolist() == ["erm", "random"] and rows["wga"].between(0, 1).all()
    assert len(trained) == 4, "the reference, ERM to convergence, and a subset retrained for each draw"


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_settings_of_each_study_are_such_as_can_be_computed(study: Study) -> None:
    assert not [name for name in study.methods if name not in METHODS and name not in EARLIER]
    assert {*study.varied} <= {*study.methods} and "slim" in study.methods
    for one in study.sets:
        if one.demo:
            make_set(one.demo, **one.parameters, seed=0)
        for fields in ({}, *one.train_by_method.values()):
            LoopConfig(dataset="d", **one.loop | {"train": {**one.loop.get("train", {}), **fields}})


def test_a_table_replaces_what_stands_between_its_own_marks_and_no_others(tmp_path: Path) -> None:
    page = tmp_path / "benchmark.md"
    other = "<!-- choose: begin -->\n<!-- choose: end -->\n"
    page.write_text(f"Before\n<!-- report: begin -->\nold\n<!-- report: end -->\nBetween\n{other}")
    put_into(page, "report", "| new \\1 |")
    put_into(page, "short", "nowhere")
    text = page.read_text()
    assert "| new \\1 |" in text and "old" not in text and "nowhere" not in text
    assert text.startswith("Before\n<!-- report: begin -->") and text.endswith(f"Between\n{other}")
