"""Which split each row names, and the splits that are dealt out where a data set has none.

Those are stratified by label and attribute, seeded, and kept with the data set. Images of one patient, video or object
look alike: in train and test at once they make a test too easy. Where such units are named, each goes whole to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from slim_core.data.draft import Draft, texts
from slim_core.data.report import NAMED, Findings
from slim_core.data.table import SPLITS
from slim_core.errors import quoted
from slim_core.formatting import counted, is_or_are

SHARES: Mapping[str, float] = {"train": 0.6, "val": 0.15, "test": 0.25}
VAL_OF_TRAIN = 0.2  # taken from train where a data set has train images but no val
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


Held = list[tuple[int, int]]  # cells of which a unit has images, and how many


def make_splits(
    labels: np.ndarray, attributes: np.ndarray, units: np.ndarray, seed: int, shares: Mapping[str, float] = SHARES
) -> np.ndarray:
    """(N,) of split names, all images of a unit the same, in about the given shares within each label and attribute.

    The largest units go first, those of a size in a seeded order: each to a split that has no image of its label yet,
    and of these, or else of all, to the one that lacks most of what it is to have of such images. So a label with as
    many units as there are splits is in each of them, where no unit holds images of two labels.

    Args:
        labels, attributes: (N,) integers.
        units: (N,) integers; an image that is alone has one of its own.
        seed: of the order.
        shares: split -> share, summing to 1; splits with a share of 0 get none.
    """
    names = [split for split in SPLITS if shares.get(split, 0) > 0]
    kinds, cells = np.unique(np.stack([labels, attributes], axis=1), axis=0, return_inverse=True)
    cells = cells.reshape(-1)
    of_label = kinds[:, 0].tolist()
    # (splits, cells) and (splits, labels) images. Plain numbers: most units are one image, too few for arrays to pay.
    wanted = np.outer([shares[name] for name in names], np.bincount(cells)).tolist()
    got, got_of_label = [[0] * len(kinds) for _ in names], [[0] * (labels.max(initial=-1) + 1) for _ in names]
    split_of = np.empty(units.max(initial=-1) + 1, np.int64)

    def need(held: Held, split: int) -> tuple[int, float]:
        without, lacking = 0, 0.0
        for cell, n in held:  # a loop: of two generators a million images took twice as long
            without += 0 if got_of_label[split][of_label[cell]] else n
            lacking += (1 - got[split][cell] / wanted[split][cell]) * n
        return without, lacking

    for unit, held in _largest_first(units, cells, seed):
        split_of[unit] = chosen = max(range(len(names)), key=partial(need, held))
        for cell, n in held:
            got[chosen][cell] += n
            got_of_label[chosen][of_label[cell]] += n
    made: np.ndarray = np.array(names)[split_of[units]]
    return made


def _largest_first(units: np.ndarray, cells: np.ndarray, seed: int) -> Iterator[tuple[int, Held]]:
    """Each unit, and how many images of which cells it has."""
    pairs, counts = np.unique(np.stack([units, cells], axis=1), axis=0, return_counts=True)
    found, starts = np.unique(pairs[:, 0], return_index=True)
    sizes = np.add.reduceat(counts, starts) if len(starts) else counts
    held, ends = list(zip(pairs[:, 1].tolist(), counts.tolist(), strict=True)), [*starts[1:], len(pairs)]
    shuffled = np.random.default_rng([seed, len(units)]).permutation(len(found))
    for place in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        yield int(found[place]), held[starts[place] : ends[place]]


@dataclass(frozen=True)
class Deal:
    """How splits are dealt out, where they have to be."""

    seed: int
    before: Callable[[], Mapping[str, str]] = dict  # path -> split of images that an earlier version has: they keep it
    label_names: tuple[str, ...] = ()  # of the classes, for what is said of them


def splits_of(
    draft: Draft,
    named: np.ndarray | None,
    labels: np.ndarray,
    attributes: np.ndarray,
    findings: Findings,
    deal: Deal,
) -> np.ndarray:
    """(N,) of SPLITS: those that are named, and what is missing of them made, with every unit in one of them."""
    units = None
    if draft.units is not None:
        words = texts(draft.units)
        units = _numbered(words)
        _report_alone(words, findings)
    if named is None:
        if not findings.refused:
            _check_deal(draft, labels, deal.label_names, units, findings)
        if findings.refused:
            return np.full(len(labels), "", "<U5")  # there may be no label to deal out within
        kept = _kept(draft, deal, SHARES)
        made = _dealt(kept, labels, attributes, units, deal.seed, SHARES)
        findings.note(
            "made-splits",
            f"{draft.source} has no splits: its images are split into train, val and test, 60 : 15 : 25 within each "
            f"class{' and attribute' if draft.attributes is not None else ''} with seed {deal.seed}{_whole(draft)}"
            f". These splits are kept.{_as_before(kept, made, draft, units)}",
        )
        return made
    train = np.flatnonzero(named == "train")
    if len(train) and not (named == "val").any() and not findings.refused:
        of_train = None if units is None else units[train]
        shares = {"train": 1 - VAL_OF_TRAIN, "val": VAL_OF_TRAIN}
        kept = _kept(draft, deal, shares)[train]
        named[train] = made = _dealt(kept, labels[train], attributes[train], of_train, deal.seed, shares)
        findings.note(
            "made-val",
            f"{draft.source} has no val images: a fifth of train is split off within each class with seed {deal.seed}"
            f"{_whole(draft)}.{_as_before(kept, made, draft, of_train)}",
        )
    if units is not None:
        _check_apart(draft, named, units, findings)
    return named


def _numbered(words: pd.Series) -> np.ndarray:
    """(N,) the number of each image's unit; an image without one ("") is alone in its own."""
    alone = (words == "").to_numpy()
    codes = pd.factorize(words)[0].astype(np.int64)
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return np.unique(codes, return_inverse=True)[1].reshape(-1)


def _report_alone(words: pd.Series, findings: Findings) -> None:
    """Warn of images that name no unit, such as no patient: nothing keeps them with others of the same."""
    findings.some(
        "warning",
        "no-unit",
        np.flatnonzero(words == ""),
        "{n} of {total:,} images [has|have] no {unit} ({where}): each counts as one of its own, so images that belong "
        "together may be in several splits; fill in what is known.",
        total=len(words),
        unit=words.name,
    )


def _kept(draft: Draft, deal: Deal, shares: Mapping[str, float]) -> np.ndarray:
    """(N,) the split that each image had before, "" where none of those that are dealt out."""
    known = deal.before()
    if not known:
        return np.full(len(draft.paths), "", "<U5")
    before = draft.paths.map(known)
    return np.where(before.isin(list(shares)), before, "").astype("<U5")


def _as_before(kept: np.ndarray, made: np.ndarray, draft: Draft, units: np.ndarray | None) -> str:
    """What is said of images that keep the split of an earlier version, and of units that do not."""
    n = int((kept == made).sum())
    keep = "keeps its" if n == 1 else "keep their"
    said = f" {counted(n, 'image')} {keep} split from the previous version." if n else ""
    if units is not None and draft.units is not None and (parted := len(_parted(kept, units))):
        values = f"{parted:,} value{' was' if parted == 1 else 's were'}"
        said += f" Of {draft.units.name}, {values} in several splits there, and {is_or_are(parted)} assigned anew."
    return said


def _dealt(
    kept: np.ndarray,
    labels: np.ndarray,
    attributes: np.ndarray,
    units: np.ndarray | None,
    seed: int,
    shares: Mapping[str, float],
) -> np.ndarray:
    """(N,) of split names: those that are kept, and the others made. So no test image becomes one of training because
    others came later; only a class that would lack a split, as one that was relabelled may, is dealt anew.
    """

    def made(which: np.ndarray) -> np.ndarray:
        apart = np.arange(len(which)) if units is None else units[which]
        return make_splits(labels[which], attributes[which], apart, seed, shares)

    splits = kept if units is None else _taken_along(kept, units)
    if not (splits != "").any():
        return made(np.arange(len(labels)))
    splits = splits.copy()
    for find in (_of_no_split, _of_a_poor_class):
        which = np.flatnonzero(find(splits, labels, units, len(shares)))
        splits[which] = made(which)
    return splits


def _taken_along(kept: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(N,) the kept splits, and that of its unit for a new image of one that is there already. A unit in several, as
    where units were not asked for before, has none: all its images are dealt out to one.
    """
    of_unit = dict(zip(units[kept != ""].tolist(), kept[kept != ""].tolist(), strict=True))
    of_unit |= dict.fromkeys(_parted(kept, units).tolist(), "")
    return np.array([of_unit.get(unit, "") for unit in units.tolist()], kept.dtype)


def _parted(kept: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The units whose images were kept in several splits."""
    n_splits = pd.Series(kept[kept != ""]).groupby(units[kept != ""]).nunique()
    return n_splits.index[n_splits > 1].to_numpy()


def _of_no_split(splits: np.ndarray, *_: object) -> np.ndarray:
    """(N,) bool."""
    return np.asarray(splits == "")


def _of_a_poor_class(splits: np.ndarray, labels: np.ndarray, units: np.ndarray | None, n_splits: int) -> np.ndarray:
    """(N,) bool: images, and all of their units, of a class that is enough for each split and lacks one."""
    apart = np.arange(len(labels)) if units is None else units
    found = pd.DataFrame({"split": splits, "apart": apart}).groupby(labels).transform("nunique")
    poor = ((found["split"] < n_splits) & (found["apart"] >= n_splits)).to_numpy()
    return np.isin(apart, apart[poor])


def _whole(draft: Draft) -> str:
    """What is said of units that stay together."""
    return "" if draft.units is None else f", all images of one {draft.units.name} in one split"


def _check_apart(draft: Draft, splits: np.ndarray, units: np.ndarray, findings: Findings) -> None:
    """Say of units that have images in several splits, which makes a test too easy."""
    assert draft.units is not None
    spread = pd.Series(splits).groupby(units).transform("nunique").to_numpy() > 1
    findings.some(
        "warning",
        "unit-across-splits",
        np.flatnonzero(spread),
        "{n_units:,} of {total:,} values of {unit} have images in more than one split ({where}): a model may recognise "
        "them, so that measured accuracy is too high.",
        n_units=len(np.unique(units[spread])),
        total=units.max() + 1,
        unit=draft.units.name,
    )


def _check_deal(
    draft: Draft, labels: np.ndarray, names: Sequence[str], units: np.ndarray | None, findings: Findings
) -> None:
    """Splits that are made have an image of each class, which needs as many, or as many units."""
    alone = pd.DataFrame({"label": labels, "unit": np.arange(len(labels)) if units is None else units})
    counts = np.bincount(alone.drop_duplicates()["label"], minlength=labels.max(initial=-1) + 1)
    few = np.flatnonzero((counts > 0) & (counts < len(SPLITS)))
    if len(few):
        rows = np.flatnonzero(np.isin(labels, few))
        named = ", ".join(f"{names[c]} ({counts[c]})" for c in few[:10]) + (", ..." if len(few) > 10 else "")
        what, remedy = "images", "add images to them, or take these classes out"
        if draft.units is not None:
            what, remedy = f"values of {draft.units.name}", f"{remedy}, or leave out the option unit (Keep together)"
        findings.error(
            "split-without-class",
            f"{len(few):,} of {len(np.unique(labels)):,} classes {'has' if len(few) == 1 else 'have'} fewer {what} "
            f"than there are splits ({len(SPLITS)}): {named}; {remedy}.",
            rows,
        )


def holds_split_words(cells: pd.Series) -> bool:
    """Whether each cell is a word for a split, and they name two at least; numbers may be anything."""
    words = texts(cells).str.lower()
    known = {word: split for split, alternatives in SPLIT_WORDS.items() for word in alternatives if word.isalpha()}
    splits = words.map(known | FOREIGN_SPLIT_WORDS)
    return bool(splits.notna().all() and splits.nunique() > 1)


def named_splits(draft: Draft, given: pd.Series, findings: Findings) -> np.ndarray:
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
        findings.note("split-words", f"{draft.source} names splits under other names, read as follows: {taken}.")


def _unknown(counts: pd.Series) -> str:
    """The words that name no split, each with how many rows have it where they are several."""
    if len(counts) == 1:
        return f"the unknown split {quoted(counts.index[0])}"
    named = ", ".join(f"{quoted(word)} ({n:,})" for word, n in counts[:NAMED].items())
    return f"{len(counts):,} unknown splits: {named}{', ...' if len(counts) > NAMED else ''}"
