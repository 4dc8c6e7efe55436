"""The studies at a glance, for their pages in docs and the README: a row each, from the entries of benchmarks/results.

`python -m benchmarks.accuracy NAME --tables` writes it anew, as every run of a study does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Study -> what it asks, in the order of the page. A study of sets without a shortcut has no mean and no row.
QUESTIONS: Mapping[str, str] = {
    "photographs": "last layers; photographed animals on photographs, on which nothing was chosen; either validation",
    "other-pictures": "last layers; validation has the shortcut; drawings and photographs on which nothing was chosen",
    "draws": "last layers; validation has the shortcut; mean of five draws of questions and subsets",
    "charts": "last layers; the shortcut belongs to one class only",
    "skewed-validation": "last layers; validation has the shortcut",
    "shortcuts": "last layers; balanced validation; a large and a small shortcut",
    "pictures": "last layers; balanced validation; a large shortcut, balanced once",
    "whole-networks": "whole networks, classes balanced twice",
    "baselines": "whole networks, classes balanced twice; beside methods that no other study has",
    "three-ways": "whole networks, classes balanced once; ways in which answers may do more",
    "six-sets": "six sets, whole networks and last layers, fewer images",
}
# Protocols that those above have replaced: docs/earlier-studies.md.
EARLIER: Mapping[str, str] = {
    "short": "six-sets from networks of 5 epochs, by mistake",
    "report-answers": "whole networks; environments found by the answers; broken off",
    "report-early": "whole networks; people judge a model of 5 epochs; broken off",
    "report": "whole networks; people judge a model of 20 epochs; broken off",
}
OTHERS: Mapping[str, str] = {
    "erm-converged": "ERM, converged",
    "jtt": "JTT",
    "random": "random subset",
    "slim-no-answers": "no answers",
}


def measured(results: Path) -> dict[str, str]:
    """Study -> the cells of its row that are numbers, from the folder of the files of results."""
    return {name: _cells(results / f"accuracy-{name}.json") for name in (*QUESTIONS, *EARLIER)}


def glance(cells: Mapping[str, str], questions: Mapping[str, str], page: str = "") -> str:
    """Worst group of SLIM, mean over sets, and its difference to four others with corrected intervals, as Markdown.

    Args:
        cells: as ``measured`` gives them.
        questions: study -> what it asks.
        page: the page that has the studies as sections; "": that of the table.
    """
    differences = " | ".join(f"minus {name}" for name in OTHERS.values())
    lines = [f"| study | what is compared | seeds | SLIM | {differences} |", "|---" * (4 + len(OTHERS)) + "|"]
    rows = [f"| [{name}]({page}#{name}) | {question} | {cells[name]} |" for name, question in questions.items()]
    return "\n".join([*lines, *rows]) + "\n"


def _cells(file: Path) -> str:
    from benchmarks.accuracy import kept
    from slim_core.formatting import percent

    result = kept(file)
    means, answers = result.over_sets, result.annotators[0]
    ours = means[(means["method"] == result.spec["against"]) & (means["annotator"] == answers)].iloc[0]
    minus = " | ".join(_difference(means[means["method"] == other]) for other in OTHERS)
    return f"{ours['n']} | {percent(ours['wga_mean'])} | {minus}"


def _difference(rows) -> str:
    """Points with their corrected interval; in bold where it does not cross 0."""
    from slim_core.formatting import UNKNOWN, interval, points

    if rows.empty or not rows["pairs"].iloc[0]:
        return UNKNOWN
    row = rows.iloc[0]
    low, high = row["minus_corrected_low"], row["minus_corrected_high"]
    if low != low:  # one seed has no interval
        return points(row["minus_mean"])
    text = f"{points(row['minus_mean'])} ({interval(low, high, '+')})"
    return f"**{text}**" if low > 0 or high < 0 else text
