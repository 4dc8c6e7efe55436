"""The tables of docs/benchmark.md and the README, and its chart, from the rows of each study.

Differences are SLIM minus another method, paired by seed; of the mean over sets, each seed's mean is one value.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.accuracy.cases import RATES, read
from benchmarks.accuracy.chart import forest
from benchmarks.accuracy.earlier import EARLIER
from benchmarks.accuracy.studies import REPORTED, Study
from slim_core.data.sets.demo_set import POOL_SHARES
from slim_core.formatting import UNKNOWN, in_percent, interval, percent, points, rounded
from slim_core.metrics import WGA, difference_by_index, t_interval
from slim_core.runs.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "benchmark.md", ROOT / "README.md"
CHART = ROOT / "docs" / "images" / "does-it-work.svg"
AGAINST = "slim"  # with the first annotator of the study
OTHERS = {
    "erm": "ERM",
    "jtt": "JTT",
    "random": "random subset",
    "slim-no-answers": "no answers",
}
SHORT = {  # what the README calls each study: where nothing was chosen first
    "photographs": "photographs: the scene",
    "draws": "draws: the scene or a sticker",
    "charts": "charts: a chart beside one class",
    "baselines": "baselines: whole networks",
}
IN_README = {  # and the methods in it
    "erm": "Plain training (ERM), converged",
    "random": "Random subset of the same size",
    "slim-no-answers": "SLIM, no answers",
    "slim-all-wrong": "No answers, all attention assumed wrong",
    AGAINST: "**SLIM**, answers about 3 % of the images",
}
ROW = ["method", "annotator"]  # what makes one row of a table
NUMBERS = [*RATES, "answers", "images", "seconds"]


def over_sets(study: Study, rows: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """One row a method and annotator: its mean over these sets, seed by seed, and SLIM's paired difference to it.

    Columns: method, annotator, labels_used, n (seeds with a number on every set), the mean of each of NUMBERS, sd (of
    the worst group), pairs, minus, low, high (the corrected interval; NaN: none).
    """
    counted = rows[rows["set"].isin(list(names))]
    base = _by_seed(counted[_is_against(study, counted)], len(names))[WGA]
    found = []
    for (method, annotator), part in counted.groupby(ROW, sort=False):
        values = _by_seed(part, len(names))
        own = _is_against(study, part).any()
        found.append(
            {
                "method": method,
                "annotator": annotator,
                "labels_used": part["labels_used"].iloc[0],
                "n": len(values),
                **values.mean(),
                "sd": values[WGA].std(ddof=1),
                **_minus(base.iloc[:0] if own else base, values[WGA], _test_over_train(study)),
            }
        )
    return pd.DataFrame(found)


def sets_in_mean(study: Study) -> list[str]:
    """Names of the sets that have a shortcut."""
    return [one.name for one in study.sets if one.in_mean]


def study_table(study: Study, rows: pd.DataFrame) -> str:
    """What was computed, and a row a method: its worst group on each set and over those with a shortcut, and costs."""
    mean, outside = over_sets(study, rows, sets_in_mean(study)), [one.name for one in study.sets if not one.in_mean]
    by_set = {one.name: over_sets(study, rows, [one.name]) for one in study.sets}
    has_attention = mean["attention"].notna().any()
    headings = ["method", "labels used", *by_set, "mean", "average", *(["attention"] if has_attention else [])]
    headings += ["SLIM minus it", "95 % interval", *(f"SLIM minus it, {name}" for name in outside)]
    lines = [[*headings, "answers", "images", "seconds"]]
    for place, row in enumerate(_records(mean)):
        of_sets = {name: _records(table)[place] for name, table in by_set.items()}
        line = [label(row), row["labels_used"], *(_mean_and_sd(each) for each in of_sets.values()), _mean_and_sd(row)]
        line += [in_percent(row["average"]), *([in_percent(row["attention"])] if has_attention else [])]
        line += [points(row["minus"]), _interval(row), *(difference(of_sets[name]) for name in outside)]
        lines.append([*line, *(rounded(row[name], 0, ",") for name in ("answers", "images", "seconds"))])
    return f"{_about(study, rows)}\n\n{_markdown(lines)}"


def glance(studies: Iterable[tuple[Study, pd.DataFrame]]) -> str:
    """A row a study: worst group of SLIM, mean over sets, and its difference to four others."""
    lines = [["study", "what is compared", "seeds", "SLIM", *(f"minus {name}" for name in OTHERS.values())]]
    for study, rows in studies:
        found = by_method(study, rows)
        ours = found[AGAINST]
        cells = [difference(found[name]) if name in found else UNKNOWN for name in OTHERS]
        lines.append([f"[{study.name}](#{study.name})", study.question, str(ours["n"]), percent(ours[WGA]), *cells])
    return _markdown(lines)


def by_method(study: Study, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Method -> its row of ``over_sets`` with the first annotator, over the sets that have a shortcut."""
    first = ["", study.annotators[0].name]
    means = over_sets(study, rows, sets_in_mean(study))
    return {row["method"]: row for row in _records(means[means["annotator"].isin(first)])}


def summary(studies: Iterable[tuple[Study, pd.DataFrame]]) -> str:
    """Of the README: a row a method, a column a study, the mean worst group in per cent; the highest in bold."""
    found = {study.name: by_method(study, rows) for study, rows in studies}
    lines = [["worst group, %", *(f"[{name}](docs/benchmark.md#{study})" for study, name in SHORT.items())]]
    best = {one: in_percent(max(found[one][name][WGA] for name in IN_README if name in found[one])) for one in SHORT}
    for method, name in IN_README.items():
        rates = {study: in_percent(found[study].get(method, {}).get(WGA)) for study in SHORT}
        cells = [f"**{text}**" if text == best[study] else text for study, text in rates.items()]
        lines.append([name, *cells])
    return _markdown(lines)


def chart(studies: Iterable[tuple[Study, pd.DataFrame]]) -> str:
    """Of the README: SLIM minus each of the methods of ``summary``, as SVG."""
    found = {study.name: by_method(study, rows) for study, rows in studies}
    others = {name: called for name, called in IN_README.items() if name != AGAINST}
    return forest(
        [
            (title, [(called, found[study][name]) for name, called in others.items() if name in found[study]])
            for study, title in SHORT.items()
        ]
    )


def label(row: dict[str, Any]) -> str:
    """A method, and who answered where that is not the perfect annotator."""
    asked = f", {row['annotator']} annotator" if row["annotator"] not in ("", "perfect") else ""
    method = row["method"]
    return f"{EARLIER[method] if method in EARLIER else METHODS[method].label}{asked}"


def difference(row: dict[str, Any]) -> str:
    """Points with their interval; in bold where it does not cross 0."""
    if not row["pairs"]:
        return UNKNOWN
    if math.isnan(row["low"]):  # one seed has no interval
        return points(row["minus"])
    text = f"{points(row['minus'])} ({interval(row['low'], row['high'], '+')})"
    return f"**{text}**" if row["low"] > 0 or row["high"] < 0 else text


def write_all() -> None:
    """Every table anew, from the rows that are kept."""
    kept = [(study, read(study)) for study in REPORTED.values()]
    for study, rows in kept:
        put_into(PAGE, study.name, study_table(study, rows))
    put_into(PAGE, "glance", glance(kept))
    put_into(README, "summary", summary(kept))
    CHART.write_text(chart(kept), encoding="utf-8")


def put_into(page: Path, name: str, text: str) -> None:
    """Replace what stands between the marks of a table, where the page has them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    page.write_text(between.sub(lambda _match: f"{begin}\n\n{text}\n\n{end}", page.read_text()))


def _by_seed(rows: pd.DataFrame, n_sets: int) -> pd.DataFrame:
    """Seed -> mean over the sets of each number; seeds that lack a set are left out."""
    whole = rows.groupby("seed").filter(lambda part: part["set"].nunique() == n_sets)
    return whole.groupby("seed")[NUMBERS].mean()


def _is_against(study: Study, rows: pd.DataFrame) -> pd.Series:
    return (rows["method"] == AGAINST) & (rows["annotator"] == study.annotators[0].name)


def _minus(base: pd.Series, other: pd.Series, test_over_train: float) -> dict[str, Any]:
    found = difference_by_index(base, other)
    low, high = t_interval(found["n"], found["mean"], found["sd"], test_over_train)
    return {"pairs": found["n"], "minus": found["mean"], "low": low, "high": high}


def _test_over_train(study: Study) -> float:
    """n_test / n_train of the objects that each seed of a demo set parts anew; 0: a folder has one split."""
    return POOL_SHARES["test"] / POOL_SHARES["train"] if any(one.demo for one in study.sets) else 0.0


def _about(study: Study, rows: pd.DataFrame) -> str:
    """How many cases are there, their seeds, and with how many of them each version of the code."""
    versions = ", ".join(f"{version} ({n:,})" for version, n in Counter(rows["code"]).most_common())
    draws = f"; mean of {study.draws} draws" if study.draws > 1 else ""
    seeds = f"{study.seeds[0]} to {study.seeds[-1]}"
    n_cases = len(list(study.cases()))
    command = f"`python -m benchmarks.accuracy {study.name}`"
    return f"{len(rows)} of {n_cases} cases; seeds {seeds}{draws}; code {versions}. {command}"


def _mean_and_sd(row: dict[str, Any]) -> str:
    return UNKNOWN if not row["n"] else f"{in_percent(row[WGA])} ± {in_percent(row['sd'])}"


def _interval(row: dict[str, Any]) -> str:
    return interval(row["low"], row["high"], "+") if row["pairs"] else UNKNOWN


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dict("records")


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    first, *others = ("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
    return "\n".join([first, "|---" * len(lines[0]) + "|", *others])
