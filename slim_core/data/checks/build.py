"""From an importer's draft to a table: splits, paths, classes, attributes and boxes (METHOD section 5).

Everything wrong is collected with its count and row numbers, so that one import shows it all.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slim_core.data.checks.splits import Deal, named_splits, splits_of
from slim_core.data.draft import Draft, texts
from slim_core.data.report import NAMED, Findings
from slim_core.data.table import BOX_COLUMNS, COLUMNS, UNKNOWN, ImageTable
from slim_core.errors import quoted
from slim_core.settings import Settings

MISSING_WORDS = ("", "nan", "<na>")  # "none" may be the name of an attribute
DOUBTFUL = {"na", "n/a", "#n/a", "null", "none", "?"}  # as a label; pandas, R, Excel, databases and people write them
_ONE = {"label": "a label", "attribute": "an attribute"}
MAX_CLASSES = 10_000
MAX_NAME = 200  # letters of a class or an attribute, which pages and reports repeat for every image
MAX_UNUSED = 100  # numbers up to here may be left out between those that occur
MOST_PIXELS = 1_000_000  # of a side or a coordinate of a box
MAX_GROUPS = 20_000  # classes x attributes: every report and page lists them


def check_paths(paths: pd.Series, draft: Draft, settings: Settings, findings: Findings, what: str = "image") -> None:
    """Refuse names that leave the data set's folder, and absolute ones outside the allowed roots.

    ``paths`` is indexed by row. Links among the folders are followed here, links among the files when they are read.
    """
    names, rows = paths.to_numpy(str), paths.index.to_numpy(np.int64)
    empty = rows[np.char.strip(names) == ""]
    said = "{n} [row|rows] of {source} [names|name] no {what} ({where}): fill [it|them] in."
    findings.some("error", "paths", empty, said, source=draft.source, what=what)
    allowed: dict[str, bool] = {}
    inside = np.array([_inside(str(path), draft.root, settings, allowed) for path in names], bool)
    outside = rows[~inside]
    findings.some(
        "error",
        "path-escape",
        outside,
        "{n} {what} paths of {source} lead out of {root}, such as {first} ({where}): move the files inside it, or name "
        "absolute paths inside the folders of SLIM_DATA_ROOTS.",
        **{
            "what": what,
            "source": draft.source,
            "root": draft.root,
            "first": quoted(str(next(iter(names[~inside]), ""))),
        },
    )


def _inside(path: str, root: Path, settings: Settings, allowed: dict[str, bool]) -> bool:
    """``allowed``: what was found of the folders so far, for a million of paths lie in some hundred folders."""
    if os.pardir in path or path.startswith(os.sep):
        return _leads_inside(path, root, settings)
    folder = path.rpartition(os.sep)[0]
    if folder not in allowed:
        allowed[folder] = _leads_inside(path, root, settings)
    return allowed[folder]


def _leads_inside(path: str, root: Path, settings: Settings) -> bool:
    if not os.path.isabs(path) and os.path.normpath(path).split(os.sep)[0] == os.pardir:
        return False
    # Links followed: "link/.." leads to where the link does.
    return settings.allows(os.path.join(root, os.path.dirname(path)))


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
    if _too_many(len(names or ()), what, draft, findings) or _unusable(names or (), what, draft, findings):
        return np.zeros(len(raw), np.int64), ()
    words = texts(raw)
    empty = words.str.lower().isin(MISSING_WORDS).to_numpy() & optional
    values = pd.to_numeric(words.where(~empty, str(UNKNOWN)), errors="coerce").to_numpy(np.float64)
    is_sign = names is None and set(np.unique(values[~empty])) == {-1.0, 1.0}  # "no" and "yes"
    is_code = names is None and words.drop_duplicates().str.fullmatch(r"0\d+").any()
    if is_sign and what in draft.may_be_names:
        return _named(words.str.removesuffix(".0"), empty, names, what, draft, findings)
    if (np.isnan(values).any() or is_code) and what in draft.may_be_names:
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
            f"occur: number the {what}s from 0, or correct it.",
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
        or_names = ", or write names" if what in draft.may_be_names else ""
        findings.error(
            f"{what}s",
            f"{len(wrong):,} of {len(words):,} rows of {draft.source} have {_ONE[what]} that is not a whole "
            f"number from 0 to {top:,}, such as {quoted(words.iat[wrong[0]])} ({findings.where(wrong)}): number the "
            f"{what}s from 0{or_names}.",
            wrong,
        )
    return len(wrong) > 0


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


def _unusable(names: Sequence[str], what: str, draft: Draft, findings: Findings) -> bool:
    """Whether names that were given, as an option may give them, leave out one, name two alike or are too long: an
    error.
    """
    first: dict[str, int] = {}
    wrong = [name for at, name in enumerate(names) if not name or first.setdefault(name, at) != at]
    if wrong:
        named = f"is {quoted(wrong[0])} twice" if wrong[0] else "is an empty one"
        findings.error(f"{what}s", f"Among the {what} names for {draft.source} {named}: give each {what} its own name.")
    long = [name for name in names if len(name) > MAX_NAME]
    if long:
        named = f"The {what} name {quoted(long[0])} of {draft.source}"
        findings.error(f"{what}s", f"{named} has more than {MAX_NAME} characters: shorten it.")
    return bool(wrong or long)


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
    findings.some(
        "warning",
        f"{what}-doubtful",
        rows,
        "{n} [row has|rows have] the {what} {written} in {source} ({where}), which is taken as a name: {remedy} if the "
        "{what} is not known.",
        what=what,
        written=" or ".join(map(quoted, words.iloc[rows].unique())),
        source=draft.source,
        remedy="take these rows out" if what == "label" else "leave these cells empty",
    )


def build_table(
    draft: Draft,
    name: str,
    settings: Settings,
    findings: Findings,
    *,
    seed: int = 0,
    before: Callable[[], Mapping[str, str]] = dict,
) -> ImageTable | None:
    """The table, or None where its cells refuse it; what was found is added to ``findings``.

    ``seed`` is that of the splits, where the data set has none or lacks one that is needed; ``before`` gives the split
    of each path that was dealt out in an earlier version, and is asked then alone.
    """
    findings.lines = draft.paths.index.to_numpy(np.int64) if draft.lines else None
    findings.paths, findings.by_path = draft.paths.to_numpy(object), not draft.metadata
    for sentence in draft.notes:
        findings.note("importer", sentence)
    named = None if draft.splits is None else named_splits(draft, draft.splits, findings)
    labels, label_names = numbered(draft, draft.labels, "label", draft.label_names, findings)
    if len(draft.label_names or ()) > MAX_CLASSES:
        return None  # what else there is to say of 40,000 folders would take its time
    _check_classes(draft, labels, findings)
    _check_boxes(draft, findings)
    attributes, attribute_names = attributes_of(draft, findings)
    _check_attribute(draft, attributes, attribute_names, findings)
    splits = splits_of(draft, named, labels, attributes, findings, Deal(seed, before, label_names))
    check_paths(draft.paths.reset_index(drop=True), draft, settings, findings)
    masks = pd.Series("", range(len(draft.paths))) if draft.masks is None else draft.masks.reset_index(drop=True)
    check_paths(masks[masks != ""], draft, settings, findings, what="mask")
    if len(label_names) * max(1, len(attribute_names)) > MAX_GROUPS:
        findings.error(
            "groups",
            f"{draft.source} has {len(label_names):,} classes x {len(attribute_names):,} attributes, more than "
            f"{MAX_GROUPS:,} groups: name an attribute with fewer values, or none.",
        )
    if findings.refused:
        return None
    columns = {"path": draft.paths.to_numpy(str), "split": splits, "label": labels, "attribute": attributes}
    frame = pd.DataFrame({**columns, "mask": masks.to_numpy(str), **_boxes(draft)})
    return ImageTable(name, draft.root, frame[list(COLUMNS)], label_names, draft.attribute_name, attribute_names)


def _check_classes(draft: Draft, labels: np.ndarray, findings: Findings) -> None:
    if len(labels) and not findings.refused and len(np.unique(labels)) < 2:
        findings.error("labels", f"{draft.source} has a single class: name a column with two classes or more.")


def _check_attribute(draft: Draft, attributes: np.ndarray, names: Sequence[str], findings: Findings) -> None:
    """An attribute with a single value tells no images of a class apart, and keeps groups from being estimated."""
    values = np.unique(attributes[attributes != UNKNOWN])
    if len(values) == 1 and not findings.refused:
        findings.warning(
            "attributes",
            f"{draft.attribute_name or 'The attribute'} is {quoted(names[values[0]])} wherever it is known, so the "
            "groups are only the classes: choose no attribute (attribute=none), and groups are estimated.",
        )


def _check_boxes(draft: Draft, findings: Findings) -> None:
    if draft.boxes is None:
        return
    values = draft.boxes[list(BOX_COLUMNS)].to_numpy(np.float64)
    wrong = np.flatnonzero((np.isinf(values) | (np.abs(values) > MOST_PIXELS)).any(axis=1))
    said = f"{{n}} [row|rows] of {{source}} [has|have] a box beyond {MOST_PIXELS:,} pixels ({{where}}): "
    said += "correct it, or leave its cells empty."
    findings.some("error", "boxes", wrong, said, source=draft.source)
    # Without an area, as a mask without an object; where there is a mask, it counts.
    alone = np.full(len(values), True) if draft.masks is None else draft.masks.fillna("").eq("").to_numpy(bool)
    findings.some(
        "warning",
        "empty-boxes",
        np.flatnonzero(alone & (values[:, 2:] <= 0).any(axis=1)),
        "{n} [row|rows] of {source} [has|have] a box whose width or height is not above 0 ({where}): all attention "
        "counts as beside the object there. Correct it, or leave its cells empty where it is not known.",
        source=draft.source,
    )


def _boxes(draft: Draft) -> dict[str, np.ndarray]:
    if draft.boxes is None:
        return {column: np.full(len(draft.paths), np.nan) for column in BOX_COLUMNS}
    return {column: draft.boxes[column].to_numpy(np.float64) for column in BOX_COLUMNS}
