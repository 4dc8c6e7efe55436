"""What the counts of a table tell: repeats, empty splits, small groups, an attribute that tells the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slim_core.data.draft import Counts
from slim_core.data.report import NAMED, Findings, describe
from slim_core.data.table import SMALLEST_SPACE, SPLITS, UNKNOWN, ImageTable, Split
from slim_core.formatting import counted, percent

TINY_GROUP = 10  # images of val or test below which a group's accuracy says little
RARE = 10  # times fewer images than the largest class from which one is rare
SHORTCUT_V = 0.3  # Cramer's V from which an attribute may serve as a shortcut (a medium effect, Cohen 1988)


@dataclass(frozen=True)
class Association:
    """Label and attribute of the images of one split that have both."""

    n: int  # images
    given_away: float  # share of images whose class is the most frequent one of their attribute value
    by_chance: float  # share of the most frequent class: what knowing nothing gives
    cramers_v: float  # 0: independent, 1: one determines the other; corrected for bias


def association(table: ImageTable) -> Association | None:
    """How class and attribute go together in train; None where fewer than two classes or attribute values are there."""
    rows = table.rows("train")
    rows = rows[table.attributes[rows] != UNKNOWN]
    counts = np.zeros((table.n_classes, table.n_attributes), np.int64)
    np.add.at(counts, (table.labels[rows], table.attributes[rows]), 1)
    occurring = counts[counts.any(axis=1)][:, counts.any(axis=0)]  # (classes, values)
    if min(occurring.shape) < 2:
        return None
    n = int(counts.sum())
    given_away, by_chance = counts.max(axis=0).sum() / n, counts.sum(axis=1).max() / n
    return Association(n, float(given_away), float(by_chance), cramers_v(occurring))


def cramers_v(counts: np.ndarray) -> float:
    """Cramer's V of a contingency table (R, C) of counts without empty rows or columns, corrected for its bias.

    Of 320 images in 40 classes and three values that know nothing of each other, the plain one, sqrt(chi2 / (n (min -
    1))), is 0.35 on average (W. Bergsma, A bias-correction for Cramer's V and Tschuprow's T, Journal of the Korean
    Statistical Society 42, 2013).
    """
    n, (rows, columns) = int(counts.sum()), counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi_squared = ((counts - expected) ** 2 / expected).sum() / n
    beyond_chance = max(0.0, phi_squared - (rows - 1) * (columns - 1) / max(1, n - 1))
    width = min(size - (size - 1) ** 2 / max(1, n - 1) for size in (rows, columns)) - 1
    return min(1.0, float(np.sqrt(beyond_chance / width))) if width > 0 else 0.0


def check_table(table: ImageTable, expected: Counts, findings: Findings) -> None:
    """Splits, classes and groups of a table; ``expected``: the published counts, where known."""
    _check_repeats(table, findings)
    _check_unknown(table, findings)
    _check_coverage(table, findings)
    _check_space(table, findings)
    _check_class_sizes(table, findings)
    _check_groups(table, expected, findings)


def _check_repeats(table: ImageTable, findings: Findings) -> None:
    repeats = np.flatnonzero(table.frame["path"].duplicated().to_numpy())
    said = "{n} [row names|rows name] an image that an earlier row names too ({where}): it will count more than once."
    findings.some("warning", "repeated-paths", repeats, said)


def _check_unknown(table: ImageTable, findings: Findings) -> None:
    """An image whose attribute is not known is of no group."""
    unknown = np.flatnonzero(table.attributes == UNKNOWN)
    if table.attribute_names:
        name = table.attribute_name or "attribute"
        lack = "[lacks|lack] at least one of" if ", " in name else "[has|have] no"  # of several columns each is needed
        findings.some(
            "warning",
            "unknown-attribute",
            unknown,
            f"{{n}} of {{total:,}} images {lack} {{name}} ({{where}}): [it belongs|they belong] to no group and "
            "[counts|count] in the averages only, so fill in what is known.",
            total=len(table),
            name=name,
        )


def _check_coverage(table: ImageTable, findings: Findings) -> None:
    """Train and val are needed, and each class in both; of one that test lacks, accuracy there is not known."""
    if not len(table):
        findings.error(
            "no-images",
            f"{table.name} has no image left: put the files where it names them, or correct the paths there.",
        )
        return
    for split in SPLITS:
        rows = table.rows(split)
        if not len(rows):
            _missing_split(table, split, findings)
            continue
        if absent := table.classes_without(rows):
            _absent_classes(split, len(rows), absent, findings)


def _absent_classes(split: str, n: int, absent: Sequence[str], findings: Findings) -> None:
    said = f"The split {split} has {counted(n, 'image')} and none of {_listed(absent, ('class', 'classes'))}"
    if split == "test":
        findings.warning("test-without-class", f"{said}: accuracy there is unknown, not 0.")
    else:
        findings.error("split-without-class", f"{said}: move images of each into it, or take these classes out.")


def _missing_split(table: ImageTable, split: str, findings: Findings) -> None:
    if split == "test":
        findings.warning("no-test", f"{table.name} has no test images: results can be shown on val only.")
        return
    findings.error(
        f"no-{split}",
        f"{table.name} has no {split} images among its {len(table):,}: mark some rows with the split {split}.",
    )


def _check_space(table: ImageTable, findings: Findings) -> None:
    """Say what the steps after the training refuse: an attention space of train; without attributes, also of test."""
    n = {split: len(table.rows(split)) for split in SPLITS}
    needs = f"an attention space needs at least {SMALLEST_SPACE}"
    if 0 < n["train"] < SMALLEST_SPACE:
        findings.warning(
            "few-for-space",
            f"{table.name} has {counted(n['train'], 'train image')}: {needs}, and without one no images are selected "
            "for annotation and no subset is curated, so add images.",
        )
    compared: Split = "test" if n["test"] else "val"
    if not table.has_attributes and 0 < n[compared] < SMALLEST_SPACE:
        findings.warning(
            "few-for-groups",
            f"{table.name} has no attribute and {counted(n[compared], f'{compared} image')}: {needs}, so no groups can "
            "be estimated there and models are compared by class.",
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
    which = "the training images"
    if found.n < len(table.rows("train")):
        which = f"the {counted(found.n, 'training image')} where it is known"
    text = (
        f"From the {table.attribute_name or 'attribute'} alone, the class of {percent(found.given_away)} of "
        f"{which} can be guessed (by always guessing the most frequent class {percent(found.by_chance)}; "
        f"Cramér's V {found.cramers_v:.2f})"
    )
    if found.cramers_v < SHORTCUT_V:
        findings.note("shortcut", f"{text}.")
        return
    findings.warning("shortcut", f"{text}: a model may learn it instead of the class.")


def _compare_counts(split: str, found: Sequence[int], expected: Sequence[int], findings: Findings) -> None:
    if list(found) == list(expected):
        return
    findings.warning(
        "expected-counts",
        f"The split {split} has {' / '.join(f'{n:,}' for n in found)} images per group where the published data has "
        f"{' / '.join(f'{n:,}' for n in expected)}: a re-generated copy differs a little, and so will its results.",
    )
