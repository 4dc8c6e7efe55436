"""Classes and attributes, given as numbers or as names: numbered from 0."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from slim_core.data.checks.measured import may_be_binned, remedy
from slim_core.data.draft import Draft, texts
from slim_core.data.report import NAMED, Findings
from slim_core.data.table import UNKNOWN
from slim_core.errors import quoted

MISSING_WORDS = ("", "nan", "<na>")  # "none" may be the name of an attribute
DOUBTFUL = {"na", "n/a", "#n/a", "null", "none", "?"}  # as a label; pandas, R, Excel, databases and people write them
_ONE = {"label": "a label", "attribute": "an attribute"}
MAX_CLASSES = 10_000
MAX_NAME = 200  # letters of a class or an attribute, which pages and reports repeat for every image
MAX_UNUSED = 100  # numbers up to here may be left out between those that occur


def attributes_of(draft: Draft, findings: Findings) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) numbers of the attribute and its names; UNKNOWN and none where the data set has no attribute."""
    if draft.attributes is None:
        return np.full(len(draft.paths), UNKNOWN, np.int64), ()
    return numbered(draft, draft.attributes, "attribute", draft.attribute_names, findings, optional=True)


def numbered(
    draft: Draft,
    raw: pd.Series,
    what: str,
    names: tuple[str, ...] | None,
    findings: Findings,
    *,
    optional: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) int64 in 0..len(names)-1 and the names; UNKNOWN for an empty optional cell.

    Numbers stay what they are; where the format allows names, they are numbered in alphabetical order. Digits behind a
    zero, such as 007, are names: codes of products, places and patients. So are -1 and 1, where no other value occurs.
    """
    numbers, known = _numbered(draft, raw, what, names, findings, optional=optional)
    _report_twins(known, what, draft, findings)
    return numbers, known


def _numbered(
    draft: Draft, raw: pd.Series, what: str, names: tuple[str, ...] | None, findings: Findings, *, optional: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    if _too_many(len(names or ()), what, draft, findings) or _ambiguous(names or (), what, draft, findings):
        return np.zeros(len(raw), np.int64), ()
    words = texts(raw)
    empty = words.str.lower().isin(MISSING_WORDS).to_numpy() & optional
    values = pd.to_numeric(words.where(~empty, str(UNKNOWN)), errors="coerce").to_numpy(np.float64)
    is_sign = names is None and set(np.unique(values[~empty])) == {-1.0, 1.0}  # "no" and "yes"
    is_code = names is None and words.drop_duplicates().str.fullmatch(r"0\d+").any()
    if is_sign and draft.takes_names(what):
        return _named(words.str.removesuffix(".0"), empty, names, what, draft, findings)
    if (np.isnan(values).any() or is_code) and draft.takes_names(what):
        return _named(words, empty, names, what, draft, findings)
    if _refused(values, words, what, names, draft, findings, lowest=UNKNOWN if optional else 0):
        return np.zeros(len(words), np.int64), names or ()
    numbers = values.astype(np.int64)
    top, there = int(numbers.max(initial=-1)), len(np.unique(numbers[numbers >= 0]))
    if names is None and top + 1 > max(MAX_UNUSED, 2 * there):
        far = np.flatnonzero(numbers == top)
        findings.error(
            f"{what}s",
            f"{draft.source} has the {what} {top:,} ({findings.where(far)}) where only {there:,} different {what}s "
            f"occur: number the {what}s from 0, or correct it{_or_ranges(draft, what, numbers)}.",
            far,
        )
        return np.zeros(len(words), np.int64), ()
    if names is None and there < top + 1:
        return _as_names(numbers, what, draft, findings)
    return numbers, names or tuple(str(i) for i in range(top + 1))


def _refused(
    values: np.ndarray,
    words: pd.Series,
    what: str,
    names: tuple[str, ...] | None,
    draft: Draft,
    findings: Findings,
    *,
    lowest: int,
) -> bool:
    """Whether some values are no numbers of classes, which is an error."""
    whole = np.isfinite(values) & (values == np.floor(values)) & (values >= lowest) & (values < MAX_CLASSES)
    if names is not None:
        whole &= values < len(names)
    wrong = np.flatnonzero(~whole)
    if len(wrong):
        top = (len(names) if names is not None else MAX_CLASSES) - 1
        or_names = ", or write names" if draft.takes_names(what) else ""
        findings.error(
            f"{what}s",
            f"{len(wrong):,} of {len(words):,} rows of {draft.source} have {_ONE[what]} that is not a whole "
            f"number from 0 to {top:,}, such as {quoted(words.iat[wrong[0]])} ({findings.where(wrong)}): number the "
            f"{what}s from 0{or_names}{_or_ranges(draft, what, values[wrong])}.",
            wrong,
        )
    return len(wrong) > 0


def _or_ranges(draft: Draft, what: str, values: np.ndarray) -> str:
    """What else may be done about numbers that cannot be those of an attribute; the rest of a sentence."""
    is_measured = what == "attribute" and may_be_binned(draft) and np.isfinite(values).all()
    return f"; {remedy(draft)}" if is_measured else ""


def _as_names(given: np.ndarray, what: str, draft: Draft, findings: Findings) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers with gaps, such as two of the ten digits, or 1 and 2: no image is of a class or group of the others."""
    found = np.unique(given[given != UNKNOWN])
    unused = np.setdiff1d(np.arange(found[-1] + 1), found)
    those = f"{draft.source} has the {what}s {_first(found)}, but {_first(unused)} in no row"
    said = f"{those}: the numbers are taken as names"
    if what == "label":
        more = "If there should be more classes, look for the missing rows."
        findings.warning("labels", f"{said} of {len(found)} classes. {more}")
    else:
        findings.note("attributes", f"{said}.")
    numbers = np.where(given == UNKNOWN, UNKNOWN, np.searchsorted(found, given))
    return numbers, tuple(map(str, found))


def _first(numbers: np.ndarray) -> str:
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


def _too_many(n: int, what: str, draft: Draft, findings: Findings) -> bool:
    if n > MAX_CLASSES:
        findings.error(
            f"{what}s",
            f"{draft.source} has {n:,} different {what}s, more than {MAX_CLASSES:,}: name another column, or bring "
            f"them into fewer.",
        )
    return n > MAX_CLASSES


def _ambiguous(names: Sequence[str], what: str, draft: Draft, findings: Findings) -> bool:
    """Whether names that were given, as an option may give them, leave out one or name two alike: an error."""
    first: dict[str, int] = {}
    wrong = [name for at, name in enumerate(names) if not name or first.setdefault(name, at) != at]
    if wrong:
        named = f"is {quoted(wrong[0])} twice" if wrong[0] else "is an empty one"
        findings.error(f"{what}s", f"Among the {what} names for {draft.source} {named}: give each {what} its own name.")
    return bool(wrong)


def _named(
    words: pd.Series, empty: np.ndarray, names: tuple[str, ...] | None, what: str, draft: Draft, findings: Findings
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cells that hold names: numbered in the order given, or alphabetically."""
    absent = words.str.lower().isin(MISSING_WORDS).to_numpy()
    known = names or tuple(sorted(set(words[~absent])))
    if _too_many(len(known), what, draft, findings):
        return np.zeros(len(words), np.int64), ()
    long = np.flatnonzero(words.str.len() > MAX_NAME)
    if len(long):
        findings.error(
            f"{what}s",
            f"{len(long):,} of {len(words):,} rows of {draft.source} have {_ONE[what]} of more than "
            f"{MAX_NAME} characters ({findings.where(long)}): name another column, or shorten it.",
            long,
        )
        return np.zeros(len(words), np.int64), ()
    values = words.map({name: i for i, name in enumerate(known)})
    wrong = np.flatnonzero(values.isna() & ~empty)
    if len(wrong):
        findings.error(
            f"{what}s",
            f"{len(wrong):,} of {len(words):,} rows of {draft.source} have the unknown {what} "
            f"{quoted(words.iat[wrong[0]])} ({findings.where(wrong)}): use one of {', '.join(known[:10])}.",
            wrong,
        )
    if names is None:
        _report_doubtful(words, what, draft, findings)
    return values.fillna(UNKNOWN).to_numpy(np.int64), known


def _report_twins(names: Sequence[str], what: str, draft: Draft, findings: Findings) -> None:
    """Warn of names that are one but for capitals, blanks or what cannot be seen: tables typed by hand, and folders
    from macOS, which takes "ä" apart, have them.
    """
    first: dict[str, str] = {}
    twins = [(first[_as_read(name)], name) for name in names if first.setdefault(_as_read(name), name) != name]
    if twins:
        by_capitals = all(one.casefold() == other.casefold() for one, other in twins)
        findings.warning(
            f"{what}-twins",
            f"{draft.source} has {what}s that differ only in "
            f"{'capitals' if by_capitals else 'capitals, blanks or Unicode normal form'}: "
            f"{', '.join(map(' and '.join, twins[:NAMED]))}. "
            "They count as different; merge them if they are meant as one.",
        )


def _as_read(name: str) -> str:
    """What a reader takes for the same."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _report_doubtful(words: pd.Series, what: str, draft: Draft, findings: Findings) -> None:
    """Warn of cells that may say "not known" in the words of another tool: they are taken for a name."""
    doubtful = DOUBTFUL if what == "label" else DOUBTFUL - {"none"}
    rows = np.flatnonzero(words.str.lower().isin(list(doubtful)))
    if len(rows):
        has = "row has" if len(rows) == 1 else "rows have"
        written = " or ".join(map(quoted, words.iloc[rows].unique()))
        remedy = "take these rows out" if what == "label" else "leave these cells empty"
        findings.warning(
            f"{what}-doubtful",
            f"{len(rows):,} {has} the {what} {written} in {draft.source} ({findings.where(rows)}), which is taken as a "
            f"name: {remedy} if the {what} is not known.",
            rows,
        )
