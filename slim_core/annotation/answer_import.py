"""Answers from a file, whoever wrote it: every line is checked, and then all of them are kept or none.

Three forms, told apart by the file's ending: JSON lines (.jsonl, .ndjson), Parquet (.parquet), and CSV (any other).
The CSV is read by the standard library: of pandas' two readers one drops a last line whose quote is not closed, the
other the surplus fields of the first line, both without a word.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from slim_core.data.parquet import has_more_text
from slim_core.errors import AnswersRefusedError
from slim_core.formatting import from_cell
from slim_core.store.campaigns.answers import AnswerIn
from slim_core.store.campaigns.consensus import LISTED, WRITTEN, EarlierAnswers

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Campaign, Store

MOST_BYTES = 100_000_000
COLUMNS = ("row", "path", "answer", "value", "annotator", "seconds", "what", "stands")  # what is read of a file
MORE = "beyond the header"  # and the fields that a line has beyond the header
_NEEDED = "row (or path) and answer"
_HISTORY = {"annotator", "what", "stands"}  # columns of our own export of everything
_BY_THE_LEAD = ("decision", "decision undone")
_FORMS = {".jsonl": "JSON lines", ".ndjson": "JSON lines", ".parquet": "Parquet"}
_ROWS_AT_ONCE = 1_024

Lines = tuple[list[str], dict[int, Mapping[str, Any]]]  # the names of the columns; number of the line -> its values
SHOWN = 5  # lines named in a sentence
LONGEST = 120  # letters shown of a line
UNNAMED = "file"  # annotator of lines that name none
_LONGEST_MS = 2**31 - 1


class _UnreadableError(ValueError):
    """Why a file is not of its form, and what to do."""

    def __init__(self, reason: object, remedy: str = f"it needs {_NEEDED}") -> None:
        super().__init__(str(reason))
        self.remedy = remedy


def read(source: Path | bytes, name: str | None = None) -> pd.DataFrame:
    """Every line of a file of answers; of an export of everything, the current answer of each annotator and image.

    Args:
        source: the file, or its content.
        name: of the file, where its content is given; its ending says the form.

    Returns:
        COLUMNS as stripped text, "" where nothing is given, and MORE. The index, line, counts as an editor does (the
        header of a CSV is line 1), and the rows of a Parquet file from 1.

    Raises:
        AnswersRefusedError: the file cannot be read, lacks a column, or is not what its ending says.
    """
    shown = str(source) if isinstance(source, Path) else name or "The file"
    form = _FORMS.get(PurePath(shown).suffix.lower(), "CSV")
    try:
        columns, lines = _READERS[form](_content(source, shown))
    except _UnreadableError as error:
        reason = (str(error).strip().splitlines() or ["it is damaged"])[0].rstrip(".")[:200]
        raise AnswersRefusedError(f"{shown} cannot be read as {form} ({reason}): {error.remedy}.") from error
    if not {"row", "path"} & set(columns) or not {"answer", "value"} & set(columns):
        raise AnswersRefusedError(f"{shown} has the columns {', '.join(columns) or 'none'}: it needs {_NEEDED}.")
    index = pd.Index(list(lines), name="line")
    frame = pd.DataFrame(list(lines.values()), index, [*COLUMNS, MORE], dtype=object).map(_as_text)
    return _current(frame) if set(columns) >= _HISTORY else frame


def _content(source: Path | bytes, name: str) -> bytes:
    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise AnswersRefusedError(f"{name} is a folder or a device: name a file of answers.")  # a pipe may hang
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > MOST_BYTES:
            raise AnswersRefusedError(f"{name} has {size:,} bytes: split it into files of at most {MOST_BYTES:,}.")
        return source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise AnswersRefusedError(f"{name} cannot be read ({error.strerror}): name a file of answers.") from error


def _text(content: bytes) -> str:
    if content.startswith(b"PAR1"):
        raise _UnreadableError("it is a Parquet file", "its name must end in .parquet")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"byte {error.start:,} is not UTF-8 text", "save it in UTF-8") from error


def _csv(content: bytes) -> Lines:
    text = _text(content)
    if text.lstrip().startswith(("{", "[")):
        raise _UnreadableError("it is JSON", "the name of a file of JSON lines must end in .jsonl")
    separator = max(",;\t", key=text.split("\n", 1)[0].count)  # spreadsheets of many countries write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=MORE, strict=True, delimiter=separator)
    try:
        reader.fieldnames = [column.strip() for column in reader.fieldnames or ()]
        lines: dict[int, Mapping[str, Any]] = {}
        for fields in reader:
            lines[reader.line_num] = _from_cells(fields)
        return list(reader.fieldnames), lines
    except csv.Error as error:
        raise _UnreadableError(f"line {reader.line_num}: {error}") from error


def _from_cells(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: from_cell(value) if isinstance(value, str) else value for name, value in fields.items()}


def _jsonl(content: bytes) -> Lines:
    columns: dict[str, None] = {}
    lines: dict[int, Mapping[str, Any]] = {}
    for number, text in enumerate(_text(content).split("\n"), 1):
        if text.strip():
            lines[number] = _json_object(text, number)
            columns |= dict.fromkeys(lines[number])
    return list(columns), lines


def _json_object(text: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
        if isinstance(record, dict):
            return record
        reason = "is not an object"
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "is too deep or too long")
    raise _UnreadableError(
        f"line {number}: {reason}", 'write one object per line, such as {"row": 1, "answer": "right"}'
    )


def _parquet(content: bytes) -> Lines:
    """Read by Arrow alone, which executes nothing a file holds: our columns, and no more than may be unpacked."""
    lines: dict[int, Mapping[str, Any]] = {}
    size = 0
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            columns = list(file.schema_arrow.names)
            wanted = [column for column in COLUMNS if column in columns]
            if has_more_text(io.BytesIO(content), MOST_BYTES, wanted):  # a thousand rows may be too many
                raise _unpacked()
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
                size += max(batch.nbytes, batch.num_rows)  # a row of one repeated value may take no bytes at all
                if size > MOST_BYTES:
                    raise _unpacked()
                lines |= enumerate(batch.to_pylist(), len(lines) + 1)
    except (OSError, pa.ArrowException) as error:
        raise _UnreadableError(error) from error
    return columns, lines


def _unpacked() -> _UnreadableError:
    return _UnreadableError(f"it decompresses to more than {MOST_BYTES:,} bytes", "split it")


_READERS = {"CSV": _csv, "JSON lines": _jsonl, "Parquet": _parquet}


def _as_text(value: Any) -> str:
    """A value as a CSV would have it: whole numbers without a fraction, though a column with gaps makes them floats."""
    if value is None or value != value:  # NaN: a number that is missing
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value).strip()


def _current(history: pd.DataFrame) -> pd.DataFrame:
    """Of all that happened, the current answers: one that was changed or undone says nothing any more.

    A lead's decision is not an annotator's answer, and is left out.
    """
    given = history[~history["what"].isin(_BY_THE_LEAD)].reset_index()
    last = given.groupby(["annotator", "row", "path"], sort=False, as_index=False).last()
    return last.assign(answer=last["stands"], value="").set_index("line").astype(object)  # also where none is left


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
    lines = read(source, name)
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
            f"The file has no answer, so nothing was imported: write {LISTED} into its column answer."
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
    lines = lines[(lines["answer"] != "") | (lines[MORE] != "")]
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
        "fields": meant[MORE] != "",
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
        "fields": ("with more fields than the header", checked[MORE]),
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
