"""Which split each row names, and the splits that are dealt out where a data set has none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slim_core.data.checks.made_splits import VAL_OF_TRAIN, make_splits
from slim_core.data.draft import Draft
from slim_core.data.report import NAMED, Findings
from slim_core.data.table import SPLITS
from slim_core.errors import quoted

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


def splits_of(
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
        findings.note("split-words", f"{draft.source} names splits in other words, taken as follows: {taken}.")


def _unknown(counts: pd.Series) -> str:
    """The words that name no split, each with how many rows have it where they are several."""
    if len(counts) == 1:
        return f"the unknown split {quoted(counts.index[0])}"
    named = ", ".join(f"{quoted(word)} ({n:,})" for word, n in counts[:NAMED].items())
    return f"{len(counts):,} unknown splits: {named}{', ...' if len(counts) > NAMED else ''}"
