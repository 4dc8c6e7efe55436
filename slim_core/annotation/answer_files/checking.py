"""Answers of another tool: every line of a file is checked, and then all of them are kept or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core.annotation.answer_files import reading
from slim_core.annotation.earlier_answers import EarlierAnswers
from slim_core.errors import AnswersRefusedError
from slim_core.store.campaigns.batch import AnswerIn
from slim_core.store.campaigns.values import LISTED, WRITTEN

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Campaign, Store

SHOWN = 5  # lines named in a sentence
LONGEST = 120  # letters shown of a line
UNNAMED = "file"  # annotator of lines that name none
_LONGEST_MS = 2**31 - 1


@dataclass(frozen=True)
class Unfit:
    """Lines of a file that do not fit, and why, as one sentence."""

    kind: str  # fields, image, pair, answer, asked, conflict, annotator
    lines: tuple[int, ...]  # numbered as reading.read does
    sentence: str


@dataclass(frozen=True, eq=False)
class CheckedAnswers:
    """A file that was read and changed nothing yet."""

    n_lines: int
    answers: Mapping[str, tuple[AnswerIn, ...]]  # annotator -> what fits
    unfit: tuple[Unfit, ...]

    @property
    def n_fitting(self) -> int:
        """Answers that fit."""
        return sum(len(given) for given in self.answers.values())


@dataclass(frozen=True)
class ImportedAnswers:
    """What an import did."""

    n_new: int
    n_known: int  # were already stored
    n_over_quota: int  # of the new ones: beyond the overlap, kept but not counted
    unfit: tuple[Unfit, ...]  # left out, where that was wanted


def check_file(
    store: Store, campaign: Campaign, source: Path | bytes, annotator: str = UNNAMED, *, name: str | None = None
) -> CheckedAnswers:
    """Read a file with the columns row or path, and answer (or value): the words or numbers of WRITTEN.

    CSV, JSON lines or Parquet, by the ending of the file, or of its ``name`` where ``source`` is its content. Also
    read, where there are: annotator (else all answers are of ``annotator``) and seconds. Of our own export of
    everything, the current answers are read. Nothing is kept yet.

    Raises:
        AnswersRefusedError: the file cannot be read, lacks a column, or is not what its ending says.
    """
    lines = reading.read(source, name)
    table = store.datasets.table(campaign.dataset_id)
    items = {item.row: item.id for item in store.campaigns.items(campaign.id)}
    meant = _interpreted(lines, table, annotator)
    checked = _contradictions(meant.assign(kind=_problems(meant, items)))
    history = EarlierAnswers(campaign.id, store.answers.audit(campaign.id))
    return CheckedAnswers(len(lines), _answers(checked, items, history), _unfit(checked, table.name, campaign.id))


def import_file(
    store: Store,
    campaign: Campaign,
    source: Path | bytes,
    by: str,
    *,
    annotator: str = UNNAMED,
    leave_out_unfit: bool = False,
    name: str | None = None,
) -> ImportedAnswers:
    """Keep the answers of a file: all of them, or none where a line does not fit (or what fits: ``leave_out_unfit``).

    The same file twice adds nothing, and a file that takes back another one's change is a change again.

    Raises:
        AnswersRefusedError: lines do not fit (every kind in one sentence), nothing is left, the campaign is closed.
    """
    checked = check_file(store, campaign, source, annotator, name=name)
    if checked.unfit and not leave_out_unfit:
        alone = ", or import the valid lines alone (`slim answers import --leave-out-unfit`)"
        rest = alone if checked.n_fitting else ""
        raise AnswersRefusedError(
            " ".join(one.sentence for one in checked.unfit) + f" Nothing was imported: correct the file{rest}."
        )
    if not checked.n_fitting:
        raise AnswersRefusedError(
            "The file has no answer, so nothing was imported: write 1 (right), 0 (wrong), 2 (empty) or -1 (unsure) "
            "into its column answer."
        )
    n_new, n_over_quota = store.answers.import_file(campaign.id, by, checked.answers)
    return ImportedAnswers(n_new, checked.n_fitting - n_new, n_over_quota, checked.unfit)


def _interpreted(lines: pd.DataFrame, table: ImageTable, annotator: str) -> pd.DataFrame:
    """What each line means that is not empty, nor an image without an answer (not answered yet): no mistakes.

    Returns:
        The columns that were read and: image (row of the table) and value, NaN where the line means none; both
        (whether row and path are given) and ms.
    """
    lines = lines.assign(answer=lines["answer"].where(lines["answer"] != "", lines["value"]))
    lines = lines[(lines["answer"] != "") | (lines[reading.MORE] != "")]
    number = lines["row"].str.removesuffix(".0")
    by_number = pd.to_numeric(number.where(number.str.fullmatch("[0-9]{1,15}").astype(bool))).astype(float)
    by_number = by_number.where(by_number < len(table))
    by_path = _rows_of(lines["path"], table)
    both = (lines["row"] != "") & (lines["path"] != "")
    seconds = pd.to_numeric(lines["seconds"], errors="coerce").replace([np.inf, -np.inf], np.nan).fillna(0)
    return lines.assign(
        both=both,
        image=by_number.where(lines["row"] != "", by_path).where(~both | (by_number == by_path)),
        value=lines["answer"].str.lower().str.removesuffix(".0").map(WRITTEN).astype(float),
        annotator=lines["annotator"].where(lines["annotator"] != "", annotator),
        ms=(1000 * seconds).round().clip(0, _LONGEST_MS).astype(int),
    )


def _rows_of(paths: pd.Series, table: ImageTable) -> pd.Series:
    """The image of each path, as the table has it or as exports name it, with the folder in front; NaN where none."""
    known = {str(path): row for row, path in enumerate(table.frame["path"])}
    return paths.map(known).fillna(paths.str.removeprefix(f"{table.root}/").map(known)).astype(float)


def _problems(meant: pd.DataFrame, items: Mapping[int, int]) -> NDArray[np.object_]:
    """Why each line does not fit, "" where it does; of several reasons the first of these."""
    unnamable = (meant["annotator"].str.len() > 200) | ~meant["annotator"].map(str.isprintable).astype(bool)
    problems = {
        "fields": meant[reading.MORE] != "",
        "pair": meant["image"].isna() & meant["both"],
        "image": meant["image"].isna(),
        "answer": meant["value"].isna(),
        "asked": ~meant["image"].isin(list(items)),
        "annotator": unnamable,
    }
    return np.select(list(problems.values()), [np.array(kind, object) for kind in problems], "")


def _contradictions(checked: pd.DataFrame) -> pd.DataFrame:
    """Lines that say otherwise than the first one about their annotator and image are of kind conflict.

    That first line (its number in the column first) is contradicted, and is not taken, either.
    """
    fit = checked[checked["kind"] == ""].reset_index()
    said = fit.groupby(["annotator", "image"], sort=False)
    first = said[["value", "line"]].transform("first")
    against = fit["value"] != first["value"]
    kind = against.map({True: "conflict", False: ""}).mask(~against & said["value"].transform("nunique").gt(1), "first")
    found = pd.DataFrame({"kind": kind, "first": first["line"]}).set_index(fit["line"])
    return checked.assign(kind=found["kind"].reindex(checked.index).fillna(checked["kind"]), first=found["first"])


def _answers(
    checked: pd.DataFrame, items: Mapping[int, int], history: EarlierAnswers
) -> dict[str, tuple[AnswerIn, ...]]:
    """Annotator -> the answers that fit; of lines that repeat each other the last."""
    kept = checked[checked["kind"] == ""].drop_duplicates(["annotator", "image"], keep="last")
    answers: dict[str, list[AnswerIn]] = {}
    for who, image, value, ms in kept[["annotator", "image", "value", "ms"]].itertuples(index=False, name=None):
        row, value = int(image), int(value)
        answer = AnswerIn(history.id_of(who, row, value), items[row], value, {"file": True}, int(ms))
        answers.setdefault(who, []).append(answer)
    return {annotator: tuple(given) for annotator, given in answers.items()}


def _unfit(checked: pd.DataFrame, data_set: str, campaign_id: str) -> tuple[Unfit, ...]:
    """What does not fit, a sentence a kind."""
    named = checked["row"].where(checked["row"] != "", checked["path"])
    described = {
        "fields": ("with more fields than the header", checked[reading.MORE]),
        "image": (f"with an image that {data_set} does not have", named),
        "pair": ("whose row and path name different images", "row " + checked["row"] + ", path " + checked["path"]),
        "answer": (f"without an answer ({LISTED})", checked["answer"]),
        "asked": (f"about an image that campaign {campaign_id} does not ask about", named),
        "annotator": ("with an invalid annotator name", checked["annotator"].str[:20]),
        "conflict": (
            "in conflict with another line for the same image and annotator",
            named + " (line " + checked["first"].map("{:.0f}".format).astype(str) + ")",
        ),
    }
    found = []
    for kind, (what, shown) in described.items():
        of_kind = shown[checked["kind"] == kind]
        if len(of_kind):
            found.append(Unfit(kind, tuple(map(int, of_kind.index)), _sentence(of_kind, what)))
    return tuple(found)


def _sentence(shown: pd.Series[str], what: str) -> str:
    listed = ", ".join(f"{line}: {text[:LONGEST]!r}" for line, text in shown.head(SHOWN).items())
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return f"{len(shown)} line{'s' if len(shown) > 1 else ''} {what} (line {listed}{more})."
