"""What a study found, as tables: paired by seed, over sets, with what failed."""

from __future__ import annotations

import json
import math

import pytest

from slim_core.evaluation.study import text
from slim_core.evaluation.study.page import charts, render
from slim_core.evaluation.study.summary import Result
from slim_core.metrics import paired_difference

SPEC = {
    "name": "choose",
    "sets": [{"set": "digits"}, {"set": "patch"}, {"set": "no-shortcut", "in_mean": False}],
    "methods": ["erm", "slim"],
    "seeds": [0, 1, 2],
    "annotators": [{"name": "perfect"}, {"name": "careless"}],
    "answers": 0.03,
    "curve": [0, 0.01],
    "varied": [],
    "against": "slim",
}
WGA = {  # set -> method -> by seed; None: failed
    "digits": {"erm": (0.60, 0.62, 0.64), "slim": (0.80, 0.84, 0.82)},
    "patch": {"erm": (0.70, 0.70, None), "slim": (0.80, 0.82, 0.84)},
    "no-shortcut": {"erm": (0.98, 0.98, 0.98), "slim": (0.97, 0.98, 0.99)},
}


def entry(name, seed, method, wga, *, annotator="", answers=0.0, zero_of=()):
    about = {"set": name, "seed": seed, "method": method, "annotator": annotator, "answers": answers}
    about |= {"label": method.upper(), "labels_used": "answers" if annotator else "none", "zero_of": list(zero_of)}
    if wga is None:
        return {**about, "status": "failed", "message": "The loss became nan."}
    return {**about, "status": "done", "wga": wga, "attention_precision": 0.3, "n_answers": 72, "seconds": 30.0}


@pytest.fixture
def result():
    entries = []
    for name, methods in WGA.items():
        for method, values in methods.items():
            asked = {"annotator": "perfect", "answers": 0.03} if method == "slim" else {}
            entries += [entry(name, seed, method, wga, **asked) for seed, wga in enumerate(values)]
        entries += [entry(name, 0, "slim", 0.75, annotator="perfect", answers=0.01)]
        entries += [entry(name, 0, "slim-no-answers", 0.7, zero_of=["slim", "slim-environments"])]
    return Result(SPEC, entries, n_cases=len(entries), code_version="0.1.0")


def row(frame, method):
    return frame[frame["method"] == method].iloc[0]


def test_a_difference_is_paired_by_seed(result):
    erm = row(result.table[result.table["set"] == "digits"], "erm")
    expected = paired_difference(WGA["digits"]["slim"], WGA["digits"]["erm"])
    assert [erm["minus_mean"], erm["minus_low"], erm["minus_high"]] == pytest.approx(
        [expected["mean"], expected["low"], expected["high"]]
    )
    assert erm["n"] == erm["pairs"] == 3
    assert math.isnan(row(result.table, "slim")["minus_mean"])


def test_a_method_with_the_very_same_numbers_differs_by_nothing(result):
    same = [{**one, "method": "erm"} for one in result.entries if one["method"] == "slim" and one["answers"] == 0.03]
    kept = [one for one in result.entries if one["method"] != "erm"]
    erm = row(Result(SPEC, [*kept, *same]).table, "erm")
    assert (erm["minus_mean"], erm["minus_low"], erm["pairs"]) == (0, 0, 3)


def test_the_mean_over_sets_takes_seeds_that_are_whole_and_sets_that_count(result):
    erm, slim = row(result.over_sets, "erm"), row(result.over_sets, "slim")
    assert (erm["n"], erm["failed"], slim["n"]) == (2, 1, 3)
    assert erm["wga_mean"] == pytest.approx((0.65 + 0.66) / 2)
    assert erm["minus_mean"] == pytest.approx(((0.80 - 0.65) + (0.83 - 0.66)) / 2)
    assert slim["wga_mean"] == pytest.approx((0.80 + 0.83 + 0.83) / 3)


def test_the_curve_begins_with_the_method_without_answers(result):
    digits = result.curve[result.curve["set"] == "digits"]
    assert digits["answers"].tolist() == [0.0, 0.01, 0.03]
    assert digits["wga_mean"].tolist() == pytest.approx([0.7, 0.75, 0.82])
    assert set(result.curve["method"]) == {"slim"}


def test_a_method_outside_its_band_forbids_claims_on_that_set(result):
    banded = Result({**SPEC, "bands": {"erm": [0.6, 0.75], "slim": [0.9, 1.0]}}, result.entries)
    found = text.warnings(banded)
    assert [sentence.partition(",")[0] for sentence in found] == [
        "slim reaches 82.0 % on digits",
        "slim reaches 82.0 % on patch",
        "erm reaches 98.0 % on no-shortcut",
    ]
    assert found[0] in text.to_markdown(banded)
    assert "outside 90.0 to 100.0 %" in found[0] and "no claim on this set holds" in found[0]


def test_further_shares_are_not_in_the_table(result):
    assert set(result.table["method"]) == {"erm", "slim"}
    assert set(result.table["answers"]) == {0.0, 0.03}


def test_every_table_says_which_labels_were_used(result):
    written = text.to_markdown(result)
    assert written.count("labels used") == 4  # the mean over sets, and three sets
    assert "| SLIM | answers | 3 | 82.0 | 2.0 |" in written
    assert "- patch, erm, seed 2: The loss became nan." in written
    assert "| set | method | 0 % | 1 % | 3 % |" in written and "| digits | SLIM | 70.0 | 75.0 | 82.0 |" in written
    latex = text.to_latex(result)
    assert "ERM & none & 62.0 $\\pm$ 2.0 & 70.0 $\\pm$ 0.0 & 98.0" in latex and latex.count("\\\\") == 3
    assert text.to_csv(result).count("\n") == 1 + 4 * 2


def test_the_page_holds_tables_charts_and_what_failed(result):
    page = render(result)
    assert [chart.title for chart in charts(result)] == [
        "slim and the others",
        "Worst group against answers",
        "Attention and worst group",
        "Cost",
    ]
    assert "Study choose" in page and "The loss became nan." in page and "http-equiv" in page


def test_a_study_without_a_number_yet_has_empty_tables():
    result = Result(SPEC, [])
    assert result.table.empty and result.over_sets.empty and result.curve.empty
    assert "worst group" in text.to_markdown(result)
    assert json.dumps(text.to_json(result))
    assert charts(result) == []


def test_names_are_escaped_in_latex():
    assert text.escape("5 % of a_b & c") == r"5 \% of a\_b \& c"
