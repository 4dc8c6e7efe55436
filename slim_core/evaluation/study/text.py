"""A study's tables as text: Markdown, LaTeX and CSV, with the labels that each method uses."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from slim_core import formatting
from slim_core.data.names import OVER_SETS
from slim_core.data.space_size import SMALLEST_SPACE
from slim_core.evaluation.study.summary import ROW, Result
from slim_core.formatting import UNKNOWN, counted, first_few, in_percent, interval, points, rounded
from slim_core.metrics import LEAST_PAIRS

HEADINGS = (
    "method",
    "labels used",
    "n",
    "worst group",
    "sd",
    "average",
    "attention",
    "{against} minus it",
    "95 % interval",
    "corrected interval",
    "answers",
    "images",
    "seconds",
)
INTERVALS = ("minus", "minus_corrected")  # columns _low and _high of each
CORRECTED = (
    "Corrected interval: the 95 % interval with the variance of Nadeau and Bengio (2003), sd² (1/n + n_test/n_train) "
    "in place of sd²/n; read it in place of the other wherever there is one: each seed of a demo set parts the same "
    "objects into train and test anew (0.6 and 0.25 of them), so its seeds are not independent."
)
SECONDS = (
    "Computing time of everything this number rests on: the model, those that were tried beside it to choose it, and "
    "every run they descend from, each counted once. Compare counts what the model descends from alone."
)
Row = Mapping[str, Any]


def headings(result: Result) -> list[str]:
    """Of ``cells``."""
    return [name.format(against=result.against) for name in HEADINGS]


def cells(row: Row) -> list[str]:
    """One row of a table as text: rates in percent, differences in points, a dash where there is none."""
    return [
        label(row),
        str(row["labels_used"]),
        f"{int(row['n'])}" + (f" ({int(row['failed'])} failed)" if row["failed"] else ""),
        *(in_percent(row[key]) for key in ("wga_mean", "wga_sd", "average_mean", "attention_precision_mean")),
        points(row["minus_mean"]),
        *(interval(row[f"{which}_low"], row[f"{which}_high"], "+") for which in INTERVALS),
        count(row["n_answers"]),
        count(row["images"]),
        count(row["seconds"]),
    ]


def label(row: Row) -> str:
    """A method, and who answered where that is not the perfect annotator."""
    asked = f", {row['annotator']} annotator" if row["annotator"] not in ("", "perfect") else ""
    return f"{row['label']}{asked}"


def count(value: float) -> str:
    """A mean number of things."""
    return UNKNOWN if value != value else rounded(value, 0, ",")


def sections(result: Result) -> list[tuple[str, pd.DataFrame]]:
    """(title, rows) of each table: the mean over sets first where there are several, then each set."""
    whole = [(OVER_SETS.capitalize(), result.over_sets)] if len(result.sets_in_mean) > 1 else []
    table = result.table
    return whole + [(name, table[table["set"] == name]) for name in result.sets]


def is_corrected(result: Result) -> bool:
    """Whether any row has a corrected interval."""
    return any(frame["minus_corrected_low"].notna().any() for frame in (result.over_sets, result.table))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows as plain dicts."""
    return frame.to_dict("records")  # type: ignore[return-value]


def to_markdown(result: Result) -> str:
    """Every table, and the sentences of what failed."""
    parts = [_section(title, [headings(result), *map(cells, records(frame))]) for title, frame in sections(result)]
    if curve := _against_answers(result):
        parts.append(_section("Worst group against answers", curve))
    if is_corrected(result):
        parts.insert(0, CORRECTED)
    if warned := warnings(result):
        parts.append("\n".join(f"**{sentence}**" for sentence in warned))
    failed = sentences(result)
    if failed:
        parts.append("### Failed\n\n" + "\n".join(f"- {sentence}" for sentence in failed))
    return "\n\n".join(parts) + "\n"


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    """A table under its title; the first row holds the headings."""
    first, *others = ("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)
    return "\n".join([f"### {title}", "", first, "|---" * len(rows[0]) + "|", *others])


def _against_answers(result: Result) -> list[list[str]]:
    """The rows of that table, a column a share; none where the study asks for no further shares."""
    if not result.spec.get("curve"):
        return []
    curve, labels = result.curve, dict(zip(result.frame["method"], result.frame["label"], strict=True))
    shares = sorted(set(curve["answers"]))
    rows = [["set", "method", *(f"{100 * share:g} %" for share in shares)]]
    for (name, method), part in curve.groupby(["set", "method"], sort=False):
        known = dict(zip(part["answers"], part["wga_mean"], strict=True))
        rates = (in_percent(known.get(share, math.nan)) for share in shares)
        rows.append([str(name), str(labels.get(method, method)), *rates])
    return rows


def warnings(result: Result) -> list[str]:
    """What forbids a claim: too few seeds, groups that are estimated or only the classes, subsets that begin behind
    ERM, and methods that are not where others found them."""
    n_seeds = len(result.spec["seeds"])
    few = [f"{counted(n_seeds, 'seed')}: the interval of a difference requires {LEAST_PAIRS} or more, and is left out."]
    estimated = [
        f"{name} has no attribute column: its worst group is one of estimated groups (class x environment cluster)."
        for name in result.sets_estimated
    ]
    by_class = [
        f"{name} has no attribute column, and fewer than {SMALLEST_SPACE} test images: its groups are the classes."
        for name in result.sets_by_class
    ]
    behind = [
        f"Subsets of {first_few(names)} are retrained from a reference that has not converged, as ERM has: with "
        f"`converged: true` in the study file they begin from a converged ERM."
        for names in [result.sets_from_reference]
        if names
    ]
    return [*(few if n_seeds < LEAST_PAIRS else []), *estimated, *by_class, *behind] + [
        f"{method} reaches {in_percent(wga)} % on {name}, outside {in_percent(low)} to {in_percent(high)} %: its "
        f"set-up differs from that of the literature, and no claim on this set holds before it agrees."
        for name, method, wga, low, high in result.outside_bands
    ]


def sentences(result: Result) -> list[str]:
    """Set, method and sentence of what failed, each once with its seeds."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in records(result.failures):
        found.setdefault((row["set"], row["method"], str(row["message"])), []).append(row["seed"])
    return [
        f"{name}, {method}, seed {', '.join(map(str, seeds))}: {text}" for (name, method, text), seeds in found.items()
    ]


def facts(result: Result) -> list[str]:
    """How far the study is, its seeds, and the code that computed it, with how many cases each version computed."""
    seeds = ", ".join(map(str, result.spec["seeds"]))
    n_draws = result.spec.get("draws", 1)
    draws = [f"mean of {n_draws} draws"] if n_draws > 1 else []
    return [f"{len(result.entries)} of {result.n_cases} cases", f"seeds {seeds}", *draws, f"code {_versions(result)}"]


def _versions(result: Result) -> str:
    """``0.1.0/0013 77d992b (360), 0.1.0/0013 90dea71+ (20)``, most cases first; one version alone without a number.

    An entry that does not say its version has that of the study.
    """
    found = Counter(str(entry.get("code", result.code_version)) for entry in result.entries)
    if len(found) < 2:
        return next(iter(found), str(result.code_version))
    return ", ".join(f"{version} ({n:,})" for version, n in found.most_common())


def to_json(result: Result) -> dict[str, Any]:
    """The whole study: what was asked for, the tables, and every entry."""
    tables = {"table": result.table, "over_sets": result.over_sets, "curve": result.curve}
    return {
        "study": dict(result.spec),
        "code_version": result.code_version,
        **{name: json.loads(frame.to_json(orient="records")) for name, frame in tables.items()},
        "entries": [dict(entry) for entry in result.entries],
    }


def json_text(result: Result) -> str:
    """``to_json`` as a file holds it."""
    return json.dumps(to_json(result), indent=1) + "\n"


def to_csv(result: Result) -> str:
    """Every row of every table with all its numbers; rates from 0 to 1."""
    return formatting.to_csv(pd.concat([frame.assign(table=title) for title, frame in sections(result)]))


def to_latex(result: Result) -> str:
    """One table (booktabs): a row a method, a column a set with mean and sd, and the paired difference over sets."""
    sets = [name for name in result.sets if result.table.loc[result.table["set"] == name, "n"].any()]
    minus = f"{escape(result.against)} $-$ it"
    heading = ["Method", "Labels used", *map(escape, sets), "Mean", minus, "Corrected interval"]
    over = {_key(row): row for row in records(result.over_sets)}
    by_method: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in records(result.table):
        by_method.setdefault(_key(row), {})[row["set"]] = row
    lines = [_latex_row(heading)]
    lines += [_latex_method(by_set, sets, over.get(key)) for key, by_set in by_method.items()]
    body = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    columns = "ll" + "r" * (len(heading) - 2)
    what = "% Worst-group accuracy in %, mean and sd over seeds" + (f"\n% {CORRECTED}" if is_corrected(result) else "")
    return f"{what}\n\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n"


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ROW)


def _latex_method(by_set: Mapping[str, Row], sets: Sequence[str], over: Row | None) -> str:
    first = next(iter(by_set.values()))
    about = [escape(label(first)), escape(first["labels_used"])]
    return _latex_row([*about, *(_latex_rate(by_set.get(name)) for name in sets), *_latex_over_sets(over)])


def _latex_row(values: list[str]) -> str:
    return " & ".join(values) + r" \\"


def _latex_rate(row: Row | None) -> str:
    if row is None or row["wga_mean"] != row["wga_mean"]:
        return "--"
    sd = "" if row["wga_sd"] != row["wga_sd"] else f" $\\pm$ {in_percent(row['wga_sd'])}"
    return f"{in_percent(row['wga_mean'])}{sd}"


def _latex_over_sets(row: Row | None) -> tuple[str, str, str]:
    """The mean, the paired difference with its interval, and the corrected interval."""
    if row is None or row["wga_mean"] != row["wga_mean"]:
        return "--", "--", "--"
    plain, corrected = (_latex_bounds(row[f"{which}_low"], row[f"{which}_high"]) for which in INTERVALS)
    mean = row["minus_mean"]
    minus = "--" if mean != mean else points(mean) if plain == "--" else f"{points(mean)} {plain}"
    return in_percent(row["wga_mean"]), minus, corrected


def _latex_bounds(low: float, high: float) -> str:
    return "--" if low != low else f"[{points(low)}, {points(high)}]"


def escape(text: str) -> str:
    """Text as LaTeX shows it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)
