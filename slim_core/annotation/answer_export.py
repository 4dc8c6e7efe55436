"""Answers of a campaign as a file (CSV, JSONL, Parquet): all of them, with who, when, what was seen and how long."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from slim_core.errors import SpecRefusedError
from slim_core.formatting import to_csv
from slim_core.store.campaigns.consensus import DECISION, SKIP, WORDS, Consensus

if TYPE_CHECKING:
    from slim_core.store import Campaign, Store

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: dict[Format, str] = {"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/x-parquet"}
COLUMNS = (  # name -> what a cell holds, in this order
    "seq",  # order of all answers of this installation
    "at",  # UTC, ISO 8601
    "annotator",
    "what",  # answer, change, undo, skip, decision, decision undone
    "path",  # of the image, as in the metadata
    "row",  # of the image, in the data set's table
    "label",
    "answer",  # a word of WORDS; no text: undone or skipped
    "value",  # its number
    "stands",  # what this annotator's answer (or the decision) is after it
    "counted",  # false: beyond the overlap
    "seconds",
    "run",  # whose attention was seen
    "seen",  # all that was seen, as JSON
    "gold",  # the known answer, where there is one
    "source",
    "id",
)
CURRENT_COLUMNS = ("annotator", "path", "row", "label", "answer", "value")
AT_ONCE = 1_000  # rows of a chunk

Row = dict[str, Any]  # column -> cell
_TYPES = {"seq": "int64", "row": "int64", "value": "int8", "counted": "bool_", "seconds": "float64"}


def audit_rows(store: Store, campaign: Campaign) -> Iterator[Row]:
    """Every answer, change, undo, skip and decision in their order, with the keys of COLUMNS."""
    table, consensus = store.datasets.table(campaign.dataset_id), Consensus()
    paths = table.frame["path"].to_numpy()
    for row in store.answers.audit(campaign.id):
        what, stands = _event(row, consensus)
        yield {
            "seq": row["seq"],
            "at": row["created_at"].isoformat(timespec="milliseconds"),
            "annotator": row["annotator"],
            "what": what,
            "path": str(paths[row["row"]]),
            "row": row["row"],
            "label": table.label_names[row["label"]],
            "answer": WORDS.get(row["value"]),
            "value": row["value"],
            "stands": WORDS.get(stands) if stands is not None else None,
            "counted": not row["surplus"],
            "seconds": row["duration_ms"] / 1000,
            "run": _text(row["seen"].get("run")),
            "seen": json.dumps(row["seen"], sort_keys=True),
            "gold": WORDS.get(row["gold"]),
            "source": row["source"],
            "id": row["id"],
        }


def _event(row: Mapping[str, Any], consensus: Consensus) -> tuple[str, int | None]:
    """What a row of the audit was, and the annotator's answer (or the decision) after it."""
    key, value = (row["row"], row["annotator"]), row["value"]
    if row["source"] == DECISION:
        consensus.decide(row["row"], value)
        return ("decision undone" if value is None else "decision"), consensus.decision(row["row"])
    before = consensus.top(key)
    if row["source"] == SKIP:
        return "skip", before
    if not row["surplus"]:
        consensus.push(key, value)
    what = "undo" if value is None else ("answer" if before is None else "change")
    return what, consensus.top(key)


def _text(value: object) -> str | None:
    """The text of a cell: another type as JSON, half a letter as its escape."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text.encode("utf-8", "backslashreplace").decode()


def current_rows(store: Store, campaign: Campaign) -> Iterator[Row]:
    """The answers that count now, one a row with the keys of CURRENT_COLUMNS: a file that can be imported."""
    table = store.datasets.table(campaign.dataset_id)
    items = {item.id: item for item in store.campaigns.items(campaign.id)}
    for item_id, annotator, value in store.answers.votes(campaign.id):
        item = items[item_id]
        yield {
            "annotator": annotator,
            "path": str(table.frame["path"].iat[item.row]),
            "row": item.row,
            "label": table.label_names[item.label],
            "answer": WORDS[value],
            "value": value,
        }


def export(store: Store, campaign: Campaign, form: str, *, current: bool = False) -> Iterator[bytes]:
    """A file in chunks: all that ever happened, or (``current``) the answers that count now.

    Raises:
        SpecRefusedError: the format is none of FORMATS.
    """
    if form not in FORMATS:
        raise SpecRefusedError(f"There is no format {form!r}: choose {', '.join(FORMATS)}.")
    if current:
        return _WRITERS[form](current_rows(store, campaign), CURRENT_COLUMNS)
    return _WRITERS[form](audit_rows(store, campaign), COLUMNS)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, AT_ONCE)):
        yield chunk


def _csv(rows: Iterator[Row], columns: Sequence[str]) -> Iterator[bytes]:
    yield (",".join(columns) + "\n").encode()
    for chunk in _chunks(rows):
        frame = pd.DataFrame(chunk, columns=list(columns), dtype=object)  # a column with gaps keeps its whole numbers
        yield to_csv(frame, header=False).encode()


def _jsonl(rows: Iterator[Row], _columns: Sequence[str]) -> Iterator[bytes]:
    for chunk in _chunks(rows):
        records = [{**row, "seen": json.loads(row["seen"])} if "seen" in row else row for row in chunk]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        yield lines.encode("utf-8", "backslashreplace")  # half a letter becomes JSON's own escape of it


def _parquet(rows: Iterator[Row], columns: Sequence[str]) -> Iterator[bytes]:
    schema = pa.schema([(name, getattr(pa, _TYPES.get(name, "string"))()) for name in columns])
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for chunk in _chunks(rows):
            writer.write_table(pa.Table.from_pylist(chunk, schema))
            yield _taken(file)
    yield _taken(file)


def _taken(file: io.BytesIO) -> bytes:
    """What was written since the last call; Arrow counts for itself how far the file has come."""
    content = file.getvalue()
    file.seek(0)
    file.truncate()
    return content


_WRITERS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
