"""From an importer's draft to a table: splits, integers, classes, paths and counts (METHOD section 5).

Everything wrong is collected with its count and row numbers, so that one import shows it all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slim_core.data.associations import association
from slim_core.data.draft import BOX_COLUMNS, Counts, Draft
from slim_core.data.report import Findings, describe
from slim_core.data.splits import VAL_OF_TRAIN, make_splits
from slim_core.data.table import COLUMNS, SPLITS, UNKNOWN, ImageTable
from slim_core.errors import quoted
from slim_core.percent import percent
from slim_core.settings import Settings

SPLIT_WORDS = {
    "train": ("0", "0.0", "train", "training"),
    "val": ("1", "1.0", "val", "valid", "validation", "dev"),
    "test": ("2", "2.0", "test", "testing"),
}
# Of a column alone, where the report says what they were taken for; a folder of that name may be a class.
FOREIGN_SPLIT_WORDS = {
    "tune": "val",
    "tuning": "val",
    "holdout": "test",
    "hold-out": "test",
    "heldout": "test",
    "eval": "test",
    "evaluation": "test",
}
MISSING_WORDS = ("", "nan", "<na>")  # "none" may be the name of an attribute
MAX_CLASSES = 10_000
MOST_PIXELS = 1_000_000  # of a side or a coordinate of a box
MAX_GROUPS = 20_000  # classes x attributes: every report and page lists them
MAX_NAME = 200  # letters of a class or an attribute, which pages and reports repeat for every image
MAX_UNUSED = 100  # numbers up to here may be left out between those that occur
TINY_GROUP = 10  # images of val or test below which a group's accuracy says little
RARE = 10  # times fewer images than the largest class from which one is rare
NAMED = 5  # groups a finding names
SHORTCUT_V = 0.3  # Cramer's V from which an attribute may serve as a shortcut (a medium effect, Cohen 1988)


def build_table(draft: Draft, name: str, settings: Settings, findings: Findings, *, seed: int = 0) -> ImageTable | None:
    """The table, or None where its cells refuse it; what was found is added to ``findings``.

    ``seed`` is that of the splits, where the data set has none or lacks one that is needed.
    """
    findings.lines = draft.paths.index.to_numpy(np.int64) if draft.lines else None
    findings.paths = draft.paths.to_numpy(object)
    for sentence in draft.notes:
        findings.note("importer", sentence)
    named = None if draft.splits is None else _named_splits(draft, draft.splits, findings)
    labels, label_names = _numbers(draft, draft.labels, "label", draft.label_names, findings)
    if len(draft.label_names or ()) > MAX_CLASSES:
        return None  # what else there is to say of 40,000 folders would take its time
    _check_classes(draft, labels, findings)
    _check_boxes(draft, findings)
    attributes, attribute_names = _attributes(draft, findings)
    splits = _splits(draft, named, labels, attributes, seed, findings)
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


def check_table(table: ImageTable, expected: Counts, findings: Findings) -> None:
    """Splits, classes and groups of a table; ``expected``: the published counts, where known."""
    _check_repeats(table, findings)
    _check_coverage(table, findings)
    _check_class_sizes(table, findings)
    _check_groups(table, expected, findings)


def _check_classes(draft: Draft, labels: np.ndarray, findings: Findings) -> None:
    if len(labels) and not findings.refused and len(np.unique(labels)) < 2:
        findings.error("labels", f"{draft.source} has a single class: name a column with two classes or more.")


def _check_boxes(draft: Draft, findings: Findings) -> None:
    if draft.boxes is None:
        return
    values = draft.boxes[list(BOX_COLUMNS)].to_numpy(np.float64)
    wrong = np.flatnonzero((np.isinf(values) | (np.abs(values) > MOST_PIXELS)).any(axis=1))
    if len(wrong):
        findings.error(
            "boxes",
            f"{len(wrong):,} rows of {draft.source} have a box beyond {MOST_PIXELS:,} pixels "
            f"({findings.where(wrong)}): correct it, or leave its cells empty.",
            wrong,
        )


def _boxes(draft: Draft) -> dict[str, np.ndarray]:
    if draft.boxes is None:
        return {column: np.full(len(draft.paths), np.nan) for column in BOX_COLUMNS}
    return {column: draft.boxes[column].to_numpy(np.float64) for column in BOX_COLUMNS}


def _splits(
    draft: Draft,
    named: np.ndarray | None,
    labels: np.ndarray,
    attributes: np.ndarray,
    seed: int,
    findings: Findings,
) -> np.ndarray:
    """(N,) of SPLITS: those that are named, and what is missing of them made."""
    if named is None:
        if not findings.refused:
            _check_deal(draft, labels, findings)
        if not findings.refused:
            findings.note(
                "made-splits",
                f"{draft.source} has no splits: train, val and test are dealt out 60 : 15 : 25 within each class"
                f"{' and attribute' if draft.attributes is not None else ''} with seed {seed}, and kept.",
            )
        return make_splits(labels, attributes, seed)
    train = np.flatnonzero(named == "train")
    if len(train) and not (named == "val").any() and not findings.refused:
        findings.note(
            "made-val",
            f"{draft.source} has no val images: a fifth of train is set apart within each class with seed {seed}.",
        )
        named[train] = make_splits(
            labels[train], attributes[train], seed, {"train": 1 - VAL_OF_TRAIN, "val": VAL_OF_TRAIN}
        )
    return named


def _check_deal(draft: Draft, labels: np.ndarray, findings: Findings) -> None:
    """Splits that are made have an image of each class, which needs as many."""
    counts = np.bincount(labels)
    few = np.flatnonzero((counts > 0) & (counts < len(SPLITS)))
    if len(few):
        rows = np.flatnonzero(np.isin(labels, few))
        shown = draft.label_names or tuple(map(str, range(len(counts))))
        named = ", ".join(f"{shown[c]} ({counts[c]})" for c in few[:10]) + (", ..." if len(few) > 10 else "")
        findings.error(
            "split-without-class",
            f"{len(few):,} of {len(np.unique(labels)):,} classes have fewer images than the {len(SPLITS)} splits that "
            f"they are dealt out to: {named}; add images to them, or take these classes out.",
            rows,
        )


def _named_splits(draft: Draft, given: pd.Series, findings: Findings) -> np.ndarray:
    """(N,) of SPLITS; words and numbers are both understood, "" where they are not."""
    words = given.astype(str).str.strip().str.lower()
    known = {word: split for split, alternatives in SPLIT_WORDS.items() for word in alternatives}
    splits = words.map(known | FOREIGN_SPLIT_WORDS)
    _report_foreign(words, draft, findings)
    wrong = np.flatnonzero(splits.isna())
    if len(wrong):
        counts = given.iloc[wrong].value_counts(sort=False, dropna=False)
        findings.error(
            "splits",
            f"{len(wrong):,} of {len(words):,} rows of {draft.source} have {_unknown(counts)} "
            f"({findings.where(wrong)}): write train, val or test (or 0, 1, 2) instead.",
            wrong,
        )
    return splits.fillna("").to_numpy(str).astype("<U5")


def _report_foreign(words: pd.Series, draft: Draft, findings: Findings) -> None:
    """Say what words of other tools were taken for: "eval" is val to some, and test to others."""
    found = words[words.isin(list(FOREIGN_SPLIT_WORDS))].value_counts(sort=False)
    if len(found):
        taken = ", ".join(f"{word} ({n:,} rows) as {FOREIGN_SPLIT_WORDS[str(word)]}" for word, n in found.items())
        findings.note("split-words", f"{draft.source} names splits in other words, taken as follows: {taken}.")


def _unknown(counts: pd.Series) -> str:
    """The words that name no split, each with how many rows have it where they are several."""
    if len(counts) == 1:
        return f"the unknown split {quoted(counts.index[0])}"
    named = ", ".join(f"{quoted(word)} ({n:,})" for word, n in counts[:NAMED].items())
    return f"{len(counts):,} unknown splits: {named}{', ...' if len(counts) > NAMED else ''}"


def _attributes(draft: Draft, findings: Findings) -> tuple[np.ndarray, tuple[str, ...]]:
    if draft.attributes is None:
        return np.full(len(draft.paths), UNKNOWN, np.int64), ()
    return _numbers(draft, draft.attributes, "attribute", draft.attribute_names, findings, optional=True)


def _numbers(
    draft: Draft,
    raw: pd.Series,
    what: str,
    names: tuple[str, ...] | None,
    findings: Findings,
    *,
    optional: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) int64 in 0..len(names)-1 and the names; UNKNOWN for an empty optional cell.

    Numbers stay what they are; where the format allows names, they are numbered in alphabetical order.
    """
    if _too_many(len(names or ()), what, draft, findings):
        return np.zeros(len(raw), np.int64), ()
    words = raw.astype(object).where(raw.notna(), "").astype(str).str.strip()
    empty = words.str.lower().isin(MISSING_WORDS).to_numpy() & optional
    values = pd.to_numeric(words.where(~empty, str(UNKNOWN)), errors="coerce").to_numpy(np.float64)
    if np.isnan(values).any() and not draft.strict_integers:
        return _named(words, empty, names, what, draft, findings)
    lowest = UNKNOWN if optional else 0
    whole = np.isfinite(values) & (values == np.floor(values)) & (values >= lowest) & (values < MAX_CLASSES)
    if names is not None:
        whole &= values < len(names)
    wrong = np.flatnonzero(~whole)
    if len(wrong):
        top = len(names) - 1 if names is not None else "C-1"
        findings.error(
            f"{what}s",
            f"{len(wrong):,} of {len(words):,} rows of {draft.source} have a {what} that is not a whole number in "
            f"0..{top}, such as {quoted(words.iat[wrong[0]])} ({findings.where(wrong)}): number the {what}s from 0.",
            wrong,
        )
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
    if names is None and not optional and there < top + 1:
        return _as_names(numbers, draft, findings)
    return numbers, names or tuple(str(i) for i in range(top + 1))


def _as_names(labels: np.ndarray, draft: Draft, findings: Findings) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers with gaps, such as two of the ten digits: nothing can be learned of a class that no image has."""
    found, numbers = np.unique(labels, return_inverse=True)
    unused = np.setdiff1d(np.arange(found[-1] + 1), found)
    findings.warning(
        "labels",
        f"{draft.source} has the labels {_first(found)}, but {_first(unused)} in no row: the numbers are taken as "
        f"names of {len(found)} classes. Were there more classes, look for the missing rows.",
    )
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
            f"{len(long):,} of {len(words):,} rows of {draft.source} have a {what} of more than {MAX_NAME} characters "
            f"({findings.where(long)}): name another column, or shorten it.",
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
    _report_twins(known, what, draft, findings)
    return values.fillna(UNKNOWN).to_numpy(np.int64), known


def _report_twins(names: Sequence[str], what: str, draft: Draft, findings: Findings) -> None:
    """Warn of names that are one but for capitals: a table that was typed by hand has them."""
    first: dict[str, str] = {}
    twins = [(first[name.casefold()], name) for name in names if first.setdefault(name.casefold(), name) != name]
    if twins:
        findings.warning(
            f"{what}-twins",
            f"{draft.source} has {what}s that differ by capitals alone: {', '.join(map(' and '.join, twins[:NAMED]))}. "
            "They count as different; bring them into one where they are meant as one.",
        )


def check_paths(paths: pd.Series, draft: Draft, settings: Settings, findings: Findings, what: str = "image") -> None:
    """Refuse names that leave the data set's folder, and absolute ones outside the allowed roots.

    ``paths`` is indexed by row. Links among the folders are followed here, links among the files when they are read.
    """
    names, rows = paths.to_numpy(str), paths.index.to_numpy(np.int64)
    empty = rows[np.char.strip(names) == ""]
    if len(empty):
        findings.error(
            "paths",
            f"{len(empty):,} rows of {draft.source} name no {what} ({findings.where(empty)}): fill them in.",
            empty,
        )
    if _report_addresses(names, rows, what, draft, findings):
        return
    allowed: dict[str, bool] = {}
    inside = np.array([_inside(str(path), draft.root, settings, allowed) for path in names], bool)
    outside = rows[~inside]
    if len(outside):
        findings.error(
            "path-escape",
            f"{len(outside):,} {what} paths of {draft.source} lead out of {draft.root}, such as "
            f"{quoted(str(names[~inside][0]))} ({findings.where(outside)}): move the files inside it, "
            f"or name absolute paths inside the folders of SLIM_DATA_ROOTS.",
            outside,
        )


def _report_addresses(names: np.ndarray, rows: np.ndarray, what: str, draft: Draft, findings: Findings) -> bool:
    """Whether there are names that no file here can have: addresses of the web, and paths of Windows."""
    foreign = pd.Series(names).str.match(r"(?i)[a-z]:[\\/]|[a-z0-9+]{2,10}://").to_numpy(bool)
    if foreign.any():
        findings.error(
            "addresses",
            f"{foreign.sum():,} {what} paths of {draft.source} are of another machine, such as "
            f"{quoted(str(names[foreign][0]))} ({findings.where(rows[foreign])}): bring the files here, and name them "
            "as they lie below the table.",
            rows[foreign],
        )
    return bool(foreign.any())


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


def _check_repeats(table: ImageTable, findings: Findings) -> None:
    repeats = np.flatnonzero(table.frame["path"].duplicated().to_numpy())
    if len(repeats):
        findings.warning(
            "repeated-paths",
            f"{len(repeats):,} rows name an image that an earlier row names too ({findings.where(repeats)}): "
            f"it will count more than once.",
            repeats,
        )


def _check_coverage(table: ImageTable, findings: Findings) -> None:
    """Train and val are needed, and every split that is there needs every class."""
    for split in SPLITS:
        rows = table.rows(split)
        if not len(rows):
            _missing_split(table, split, findings)
            continue
        counts = np.bincount(table.labels[rows], minlength=table.n_classes)
        absent = np.flatnonzero(counts == 0)
        if len(absent):
            names = ", ".join(f"{table.label_names[c]} ({c})" for c in absent[:10])
            findings.error(
                "split-without-class",
                f"The split {split} has {len(rows):,} images and none of class {names}: "
                f"move images of that class into it, or drop the class.",
            )


def _missing_split(table: ImageTable, split: str, findings: Findings) -> None:
    if split == "test":
        findings.warning("no-test", f"{table.name} has no test images: results can only be shown on val.")
        return
    findings.error(
        f"no-{split}",
        f"{table.name} has no {split} images among its {len(table):,}: mark some rows with the split {split}.",
    )


def _check_class_sizes(table: ImageTable, findings: Findings) -> None:
    """Classes that are rare in train; without attributes, also those of which val or test has a few images."""
    for split in SPLITS:
        counts = np.bincount(table.labels[table.rows(split)], minlength=table.n_classes)
        named = [f"{name} ({n:,})" for name, n in zip(table.label_names, counts, strict=True)]
        if split == "train":
            _report_rare(counts, named, findings)
        elif not table.has_attributes and len(tiny := np.flatnonzero((counts > 0) & (counts < TINY_GROUP))):
            findings.warning(
                "tiny-class",
                f"The split {split} has fewer than {TINY_GROUP} images of "
                f"{_listed([named[c] for c in tiny], ('class', 'classes'))}: accuracy there says little.",
            )


def _report_rare(counts: np.ndarray, named: Sequence[str], findings: Findings) -> None:
    rare = np.flatnonzero((counts > 0) & (counts * RARE < counts.max()))
    if len(rare):
        classes, largest = _listed([named[int(c)] for c in rare], ("class", "classes")), named[int(counts.argmax())]
        findings.warning(
            "rare-class",
            f"The split train has few images of {classes}, less than a tenth of those of {largest}: "
            f"overall accuracy says little about {'it' if len(rare) == 1 else 'them'}.",
        )


def _check_groups(table: ImageTable, expected: Counts, findings: Findings) -> None:
    if not table.has_attributes:
        return
    _, groups = describe(table)
    for split in SPLITS:
        sizes = {group["name"]: group["n"] for group in groups if group["split"] == split}
        if len(table.rows(split)):
            _check_sizes(split, sizes, findings)
        if split in expected:
            _compare_counts(split, list(sizes.values()), expected[split], findings)
    _check_association(table, findings)


def _check_sizes(split: str, sizes: Mapping[str, int], findings: Findings) -> None:
    """One finding a split for its empty groups, and one for its tiny ones."""
    empty = [name for name, n in sizes.items() if n == 0]
    tiny = [f"{name} ({n})" for name, n in sizes.items() if 0 < n < TINY_GROUP]
    if empty:
        findings.warning(
            "empty-group",
            f"The split {split} has no image of {_listed(empty)}: accuracy there is unknown, not 0.",
        )
    if tiny and split != "train":
        findings.warning(
            "tiny-group",
            f"The split {split} has fewer than {TINY_GROUP} images of {_listed(tiny)}: accuracy there says little.",
        )


def _listed(names: Sequence[str], what: tuple[str, str] = ("group", "groups")) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{f'the {what[0]} ' if len(names) == 1 else f'{len(names):,} {what[1]}: '}{'; '.join(names[:NAMED])}{more}"


def _check_association(table: ImageTable, findings: Findings) -> None:
    found = association(table)
    if found is None:
        return
    text = (
        f"{table.attribute_name or 'The attribute'} alone tells the class of {percent(found.given_away)} of train "
        f"({percent(found.by_chance)} by always naming the most frequent class; Cramer's V {found.cramers_v:.2f})"
    )
    if found.cramers_v >= SHORTCUT_V:
        findings.warning("shortcut", f"{text}: a model may learn it instead of the class.")
    else:
        findings.note("shortcut", f"{text}.")


def _compare_counts(split: str, found: Sequence[int], expected: Sequence[int], findings: Findings) -> None:
    if list(found) == list(expected):
        return
    findings.warning(
        "expected-counts",
        f"The split {split} has {' / '.join(f'{n:,}' for n in found)} images per group where the published data has "
        f"{' / '.join(f'{n:,}' for n in expected)}: a re-generated copy differs a little, and so will its results.",
    )
