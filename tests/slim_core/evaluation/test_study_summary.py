"""What a study found, as tables: paired by seed, over sets, with what failed."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

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


def whole(result):
    """As if the case that failed had ended, so that three seeds are whole."""
    again = entry("patch", 2, "erm", 0.72)
    return replace(result, entries=[again if one["status"] == "failed" else one for one in result.entries])


def test_a_difference_is_paired_by_seed(result):
    erm = row(result.table[result.table["set"] == "digits"], "erm")
    expected = paired_difference(WGA["digits"]["slim"], WGA["digits"]["erm"])
    assert [erm["minus_mean"], erm["minus_low"], erm["minus_high"]] == pytest.approx(
        [expected["mean"], expected["low"], expected["high"]]
    )
    assert erm["n"] == erm["pairs"] == 3
    assert math.isnan(row(result.table, "slim")["minus_mean"])


def test_the_seeds_of_a_demo_set_part_one_pool_and_their_interval_is_corrected(result):
    erm = row(result.table[result.table["set"] == "digits"], "erm")
    # Differences 0.20, 0.22, 0.18: mean 0.2, sd 0.02; Student's t with 2 degrees of freedom 4.302653
    half = 4.302653 * 0.02 * math.sqrt(1 / 3 + 0.25 / 0.6)
    assert [erm["minus_corrected_low"], erm["minus_corrected_high"]] == pytest.approx([0.2 - half, 0.2 + half])
    over = row(whole(result).over_sets, "erm")  # differences 0.15, 0.17 and 0.15: mean 0.47 / 3, sd² 0.0004 / 3
    half = 4.302653 * math.sqrt(0.0004 / 3 * (1 / 3 + 0.25 / 0.6))
    assert over["minus_corrected_low"] == pytest.approx(0.47 / 3 - half)
    assert text.to_markdown(result).startswith(text.CORRECTED) and text.CORRECTED in text.to_latex(result)
    assert "| +20.0 | +15.0 to +25.0 | +12.5 to +27.5 |" in text.to_markdown(result)
    assert "minus_corrected_low" in text.to_csv(result) and text.CORRECTED in render(result)


def test_the_chart_draws_the_interval_that_the_note_says_to_read(result):
    def drawn(of: Result) -> tuple[str, float]:
        first = charts(of, "digits")[0]
        (line,) = first.figure.data
        return first.note, line.error_x.array[0]

    note, half = drawn(result)
    assert "corrected intervals" in note and half == pytest.approx(
        100 * 4.302653 * 0.02 * math.sqrt(1 / 3 + 0.25 / 0.6)
    )
    sets = [{"data": f"/data/{one['set']}", **one, "set": None, "name": one["set"]} for one in SPEC["sets"]]
    note, half = drawn(Result({**SPEC, "sets": sets}, result.entries))
    assert "paired 95 % intervals" in note and half == pytest.approx(100 * 4.302653 * 0.02 / math.sqrt(3))


def test_a_folder_has_one_split_for_all_seeds_and_no_corrected_interval(result):
    sets = [{"data": f"/data/{one['set']}", **one, "set": None, "name": one["set"]} for one in SPEC["sets"]]
    folder = Result({**SPEC, "sets": sets}, result.entries)
    assert folder.table["minus_corrected_low"].isna().all() and folder.table["minus_low"].notna().any()
    assert text.CORRECTED not in text.to_markdown(folder) + text.to_latex(folder)
    assert "| +20.0 | +15.0 to +25.0 | – |" in text.to_markdown(folder)


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


def test_subsets_that_begin_behind_a_converged_erm_are_named(result):
    sets = [{"set": "digits", "retrain": "reference"}, {"set": "patch", "retrain": "scratch"},
            {"set": "no-shortcut", "retrain": "reference", "frozen": True}]  # fmt: skip
    spec = {**SPEC, "sets": sets, "methods": ["erm-converged", "slim"], "converged": False}
    (warned,) = text.warnings(Result(spec, result.entries))
    assert warned.startswith("Subsets of digits are retrained from a reference that has not converged")
    for fair in ({"converged": True}, {"methods": ["erm", "slim"]}, {"sets": sets[1:2] * 3}):
        assert not text.warnings(Result({**spec, **fair}, result.entries))


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
    assert "& +15.7 [+12.8, +18.5] & [+11.4, +20.0] \\\\" in text.to_latex(whole(result)) and "& -- & -- \\\\" in latex
    assert text.to_csv(result).count("\n") == 1 + 4 * 2


def test_two_seeds_have_a_difference_without_an_interval_and_a_study_of_two_says_why(result):
    over = row(result.over_sets, "erm")
    assert (over["pairs"], over["minus_mean"]) == (2, pytest.approx(0.16))
    assert math.isnan(over["minus_low"]) and math.isnan(over["minus_corrected_low"])
    sentence = "2 seeds: the interval of a difference requires 3 or more, and is left out."
    assert "| +16.0 | – | – |" in text.to_markdown(result) and sentence not in text.to_markdown(result)
    two = Result({**SPEC, "seeds": [0, 1]}, [one for one in result.entries if one["seed"] < 2])
    assert "| +21.0 | – | – |" in text.to_markdown(two) and f"**{sentence}**" in text.to_markdown(two)
    note = "Right of 0: SLIM is better than the method of the row."
    assert sentence in render(two) and charts(two)[0].note == note


def test_a_difference_of_one_seed_has_no_interval_in_latex_and_is_there():
    sets = {"sets": SPEC["sets"][:2]}
    entries = [
        entry(name, 0, method, wga, **({"annotator": "perfect", "answers": 0.03} if method == "slim" else {}))
        for name in ("digits", "patch")
        for method, wga in (("erm", 0.6), ("slim", 0.8))
    ]
    assert "& +20.0 & -- \\\\" in text.to_latex(Result(SPEC | sets, entries))


def test_answers_are_varied_of_a_method_that_no_table_has():
    about = {**SPEC, "methods": ["erm"], "against": "erm", "varied": ["slim"]}
    nobody = entry("digits", 0, "slim-no-answers", 0.7, zero_of=["slim"])
    asked = entry("digits", 0, "slim", 0.75, annotator="perfect", answers=0.01)
    assert "| digits | SLIM | 70.0 | 75.0 |" in text.to_markdown(Result(about, [nobody, asked]))
    interrupted = Result(about, [nobody])  # before the first of its answers
    assert "| digits | slim | 70.0 |" in text.to_markdown(interrupted)


def test_the_page_holds_tables_charts_and_what_failed(result):
    page = render(result)
    assert [chart.title for chart in charts(result)] == [
        "SLIM and the others",
        "Worst group against answers",
        "Attention and worst group",
        "Cost",
    ]
    assert "Study choose" in page and "The loss became nan." in page and "http-equiv" in page


def test_a_share_of_images_is_read_on_hover_as_it_was_asked_for(result):
    (curve,) = (chart.figure for chart in charts(result) if chart.title == "Worst group against answers")
    (form,) = {re.search(r"%{customdata:([^}]*)}", line.hovertemplate)[1] for line in curve.data}
    assert [format(share, form) for share in (0.5, 3.0, 12.5)] == ["0.5", "3", "12.5"]


def test_a_study_without_a_number_yet_has_empty_tables():
    result = Result(SPEC, [])
    assert result.table.empty and result.over_sets.empty and result.curve.empty
    assert "worst group" in text.to_markdown(result)
    assert json.dumps(text.to_json(result))
    assert charts(result) == []


def test_every_version_of_the_code_that_computed_a_case_is_named(result):
    assert text.facts(result)[-1] == "code 0.1.0"
    codes = ["0.1.0 77d992b"] * (len(result.entries) - 2) + ["0.1.0 90dea71+"]
    mixed = [{**one, "code": code} for one, code in zip(result.entries, codes, strict=False)] + [result.entries[-1]]
    found = text.facts(Result(SPEC, mixed, code_version="0.1.0 90dea71+"))[-1]
    assert found == f"code 0.1.0 77d992b ({len(codes) - 1}), 0.1.0 90dea71+ (2)"


def test_how_many_draws_a_number_is_the_mean_of_is_said_where_there_are_several(result):
    assert not any("draws" in fact for fact in text.facts(result))
    drawn = Result({**SPEC, "draws": 5}, result.entries, code_version="0.1.0")
    assert "mean of 5 draws" in text.facts(drawn)


def test_names_are_escaped_in_latex():
    assert text.escape("5 % of a_b & c") == r"5 \% of a\_b \& c"


def test_a_name_with_a_bar_is_one_cell_in_markdown(result):
    entries = [one | {"annotator": one["annotator"] and "a|b"} for one in result.entries]
    named = replace(result, spec={**SPEC, "annotators": [{"name": "a|b"}]}, entries=entries)
    (row, *_) = (line for line in text.to_markdown(named).splitlines() if "annotator" in line)
    assert row.startswith(r"| SLIM, a\|b annotator | answers |")


def test_a_set_whose_groups_are_estimated_is_named_below_the_tables(result):
    sentence = "patch has no attribute column: its worst group is one of estimated groups"
    assert not result.sets_estimated and sentence not in text.to_markdown(result)
    entries = [one | {"estimated_groups": one["set"] == "patch"} for one in result.entries]
    found = replace(result, entries=entries)
    assert found.sets_estimated == ["patch"] and text.to_markdown(found).count(sentence) == 1
    assert sentence in render(found)


def test_a_set_whose_groups_are_the_classes_for_want_of_test_images_is_not_said_to_have_estimated_ones(result):
    sentence = "patch has no attribute column, and fewer than 10 test images: its groups are the classes."
    assert sentence not in text.to_markdown(result)
    by_class = {"estimated_groups": True, "class_groups": True}
    found = replace(result, entries=[one | (by_class if one["set"] == "patch" else {}) for one in result.entries])
    assert not found.sets_estimated and "estimated groups" not in text.to_markdown(found)
    assert text.to_markdown(found).count(sentence) == 1 and sentence in render(found)
