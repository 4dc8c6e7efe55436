"""The claims of the benchmark: each is measured, and one that fails is said to fail."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr, stdtrit

from benchmarks.accuracy import (
    EARLIER_PAGE,
    PAGE,
    README,
    RESULTS,
    claims,
    claims_table,
    kept,
    known_entries,
    left_to_compute,
    main,
    page_of,
    page_text,
    put_into,
)
from benchmarks.glance import EARLIER, OTHERS, QUESTIONS, glance, measured
from slim_core.evaluation.study.summary import Result
from slim_core.runs.study.spec import Study
from slim_core.settings import settings

SPEC = {
    "name": "report",
    "sets": [{"set": "digits"}, {"set": "no-shortcut", "in_mean": False}],
    "methods": ["erm-converged", "rwy", "slim", "group-dro"],
    "seeds": [10, 11, 12],
    "annotators": [{"name": "perfect"}],
    "answers": 0.03,
    "against": "slim",
}
WGA = {
    "digits": {"erm-converged": (80, 82, 82), "rwy": (88, 92, 90), "slim": (90, 91, 92), "group-dro": (93, 95, 96)},
    "no-shortcut": {
        "erm-converged": (98, 98, 99),
        "rwy": (98, 98, 98),
        "slim": (96, 97, 97),
        "group-dro": (98, 98, 98),
    },
}
USES = {"slim": "answers", "group-dro": "groups in validation, groups in training"}


def entry(name: str, seed: int, method: str, wga: float) -> dict:
    asked = {"annotator": "perfect", "answers": 0.03} if method == "slim" else {"annotator": "", "answers": 0.0}
    about = {"set": name, "seed": seed, "method": method, "label": method, "labels_used": USES.get(method, "none")}
    return {**about, **asked, "zero_of": [], "status": "done", "wga": wga / 100}


RESULT = Result(
    SPEC,
    [
        entry(name, 10 + place, method, wga)
        for name, methods in WGA.items()
        for method, values in methods.items()
        for place, wga in enumerate(values)
    ],
)


def test_each_claim_is_measured_and_says_whether_it_holds() -> None:
    found = {claim["claim"]: claim["holds_corrected"] for claim in claims(RESULT)}
    assert found == {
        "above erm-converged, mean over sets": True,
        "above rwy, mean over sets": False,  # by one point, with an interval across 0
        "not more than 3 points below the best method that uses group labels (group-dro), mean over sets": False,
        "not more than 1 point below erm-converged on no-shortcut": False,
    }
    written = claims_table(RESULT)
    assert written.startswith("| slim is | measured, points | corrected interval | holds, by the corrected interval |")
    assert "| above rwy, mean over sets | +1.0 (-3.3 to +5.3) | -5.5 to +7.5 | **no** |" in written
    assert written.count("**no**") == 3


def with_rwy(*wga: int) -> list[dict]:
    """The entries with other numbers of rwy on the digits."""
    found = iter(wga)
    changed = [("digits", "rwy") == (one["set"], one["method"]) for one in RESULT.entries]
    return [
        {**one, "wga": next(found) / 100} if change else one
        for one, change in zip(RESULT.entries, changed, strict=True)
    ]


def test_a_gain_that_the_correction_takes_away_does_not_hold_and_the_plain_interval_is_shown() -> None:
    entries = with_rwy(86, 88, 90)  # slim minus it: 4, 3, 2
    pooled = next(one for one in claims(Result(SPEC, entries)) if one["claim"].startswith("above rwy"))
    assert (pooled["measured"], pooled["holds"]) == ("+3.0 (+0.5 to +5.5)", True)
    assert (pooled["corrected"], pooled["holds_corrected"]) == ("-0.7 to +6.7", False)
    assert "| +3.0 (+0.5 to +5.5) | -0.7 to +6.7 | **no** |" in claims_table(Result(SPEC, entries))
    sets = [{**one, "name": one["set"], "set": None, "data": "/data"} for one in SPEC["sets"]]
    folder = Result({**SPEC, "sets": sets}, entries)
    alone = next(one for one in claims(folder) if one["claim"].startswith("above rwy"))
    assert (alone["holds"], alone["corrected"], alone["holds_corrected"]) == (True, None, None)
    assert "| +3.0 (+0.5 to +5.5) | – | yes |" in claims_table(folder)


def test_a_study_of_sets_that_are_in_no_mean_claims_no_harm_alone() -> None:
    outside = [one for one in RESULT.entries if one["set"] == "no-shortcut"]
    alone = Result({**SPEC, "sets": SPEC["sets"][1:]}, outside)
    assert [one["claim"] for one in claims(alone)] == ["not more than 1 point below erm-converged on no-shortcut"]
    assert claims_table(alone).startswith("| slim is |")


def test_what_results_hold_of_the_same_study_is_known_and_the_rest_is_computed(tmp_path) -> None:
    study = Study.model_validate({**SPEC, "seeds": [10, 11, 12, 13]})
    entries = [one for one in RESULT.entries if (one["set"], one["seed"], one["method"]) != ("digits", 11, "rwy")]
    entries[0] = {**entries[0], "code": "older"}
    file = tmp_path / "accuracy-report.json"
    kept = {"study": study.model_copy(update={"seeds": (10, 11, 12)}).model_dump(mode="json"), "entries": entries}
    file.write_text(json.dumps({**kept, "code_version": "newer"}))
    known = known_entries(study, file)
    assert not [one for one in known if (one["seed"], one["method"]) == (11, "rwy")]  # of one of the two sets alone
    assert len(known) == len(SPEC["sets"]) * (3 * len(SPEC["methods"]) - 1)
    assert {one["code"] for one in known} == {"older", "newer"}
    assert {list(one)[-1] for one in known} == {"code"}  # where a new entry has it, too
    left = {one.seeds: one.methods for one in left_to_compute(study, known)}
    assert left == {(11,): ("rwy",), (13,): tuple(SPEC["methods"])}
    assert known_entries(study.model_copy(update={"answers": 0.02}), file) == []
    assert known_entries(study, tmp_path / "missing.json") == []


def test_a_method_that_is_added_to_a_study_is_all_that_is_computed(tmp_path) -> None:
    file = tmp_path / "accuracy-report.json"
    spec = Study.model_validate(SPEC).model_dump(mode="json")
    file.write_text(json.dumps({"study": spec, "entries": RESULT.entries, "code_version": "newer"}))
    study = Study.model_validate({**SPEC, "methods": [*SPEC["methods"], "jtt"]})
    known = known_entries(study, file)
    assert len(known) == len(RESULT.entries)
    assert [(one.methods, one.seeds) for one in left_to_compute(study, known)] == [(("jtt",), (10, 11, 12))]
    fewer = Study.model_validate({**SPEC, "methods": SPEC["methods"][:-1]})
    assert {one["method"] for one in known_entries(fewer, file)} == set(SPEC["methods"][:-1])
    assert left_to_compute(fewer, known_entries(fewer, file)) == []


def test_tables_are_written_anew_from_the_entries_of_a_file_as_they_are(tmp_path) -> None:
    part = RESULT.entries[:-1]  # of the last method and seed one set alone is there
    file = tmp_path / "accuracy-report.json"
    spec = Study.model_validate(SPEC).model_dump(mode="json")
    file.write_text(json.dumps({"study": spec, "entries": part, "code_version": "newer"}))
    found = kept(file)
    assert (found.entries, found.spec, found.n_cases, found.code_version) == (part, spec, len(part) + 1, "newer")


@pytest.mark.parametrize("file", sorted(RESULTS.glob("accuracy-*.json")), ids=lambda file: file.stem)
def test_claims_and_tables_of_each_reported_study_are_those_of_its_entries(file) -> None:
    result = kept(file)
    written, name = page_text(result), result.spec["name"]
    page = page_of(name).read_text()
    again = f"python -m benchmarks.accuracy {name} --tables"
    assert file.with_suffix(".md").read_text() == written, again
    assert json.loads(file.read_text())["claims"] == claims(result), again
    assert f"<!-- {name}: begin -->\n\n{written}\n<!-- {name}: end -->" in page, again


def test_the_studies_at_a_glance_are_those_of_the_results_and_each_row_leads_to_its_section() -> None:
    cells, again = measured(RESULTS), "python -m benchmarks.accuracy NAME --tables"
    for page, rows in ((PAGE, QUESTIONS), (EARLIER_PAGE, EARLIER)):
        text = page.read_text()
        assert f"<!-- glance: begin -->\n\n{glance(cells, rows)}\n<!-- glance: end -->" in text, again
        assert all(f"\n## {name}\n" in text for name in rows)
    assert f"\n{glance(cells, QUESTIONS, 'docs/benchmark.md')}\n<!-- glance: end -->" in README.read_text(), again
    measured_ones = {file.stem.removeprefix("accuracy-") for file in RESULTS.glob("accuracy-*.json")}
    assert {*QUESTIONS, *EARLIER} == measured_ones - {"harm", "attention"}, "no mean; the models of shortcuts again"


def test_how_many_differences_at_a_glance_remain_where_all_are_taken_together_is_said() -> None:
    every = [kept(RESULTS / f"accuracy-{name}.json").over_sets for name in QUESTIONS]
    rows = pd.concat([each[each["method"].isin(list(OTHERS))] for each in every])
    half = (rows["minus_corrected_high"] - rows["minus_corrected_low"]) / 2
    error = half / stdtrit(rows["pairs"] - 1, 0.975)
    p = np.sort(np.where(half > 0, 2 * stdtr(rows["pairs"] - 1, -(rows["minus_mean"] / error).abs()), 1))
    place, n = np.arange(1, len(p) + 1), len(p)
    by_holm = int(np.logical_and.accumulate(p <= 0.05 / (n + 1 - place)).sum())
    by_rate = int(place[p <= 0.05 * place / n].max())
    said = f"Of the {n} differences at a glance {(p < 0.05).sum()} have a corrected interval without 0."
    assert f"{said} Taken together, {by_rate} of these" in PAGE.read_text()
    assert f"and {by_holm} by Holm's" in PAGE.read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("unseen", "--show"), "Nothing of erm is computed yet under"),
        (("unseen", "--tables"), "accuracy-unseen.json: leave --tables out to compute the study."),
        (("nowhere", "--show"), "nowhere.yaml cannot be read"),
    ],
)
def test_nothing_to_show_is_one_sentence(options, sentence, tmp_path, monkeypatch, capsys) -> None:
    file = tmp_path / "unseen.yaml"
    file.write_text("name: unseen\nsets: [{set: digits}]\nmethods: [erm]\nseeds: [0]\nagainst: erm\n")
    name, *flags = options
    study = str(file) if name == "unseen" else name
    monkeypatch.setattr("sys.argv", ["accuracy", study, *flags, "--home", str(tmp_path / "home")])
    monkeypatch.setenv("SLIM_HOME", "")  # which the benchmark sets, and is as before afterwards
    settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main()
    settings.cache_clear()
    assert ended.value.code == 2 and sentence in capsys.readouterr().err
    assert not list(RESULTS.glob("accuracy-unseen*"))


def test_a_study_replaces_its_own_tables_on_the_page_and_no_others(tmp_path) -> None:
    page = tmp_path / "benchmark.md"
    other = "<!-- choose: begin -->\n<!-- choose: end -->\n"
    page.write_text(f"Before\n<!-- report: begin -->\nold\n<!-- report: end -->\nBetween\n{other}")
    put_into(page, "report", "| new \\1 |\n")
    put_into(page, "short", "nowhere")
    text = page.read_text()
    assert "| new \\1 |" in text and "old" not in text and "nowhere" not in text
    assert text.startswith("Before\n<!-- report: begin -->") and text.endswith(f"Between\n{other}")
