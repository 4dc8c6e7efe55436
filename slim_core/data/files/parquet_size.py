"""How much the texts of a Parquet file unpack to: one that is written once there may stand in millions of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slim_core.data.report import FormatRefusedError

MOST_TEXT_MB = 1_000  # of all cells together; a million of paths have some 50
_TEXTS = ("STRING", "JSON", "ENUM", "NONE")  # of a column of bytes


def require_readable_size(path: Path, columns: Collection[str] | None = None) -> None:
    """Refuse a Parquet file of 5 kB that takes gigabytes of memory, before it is read as it stands.

    ``columns``: those that are to be read; None stands for all.

    Raises:
        FormatRefusedError: its texts have more than MOST_TEXT_MB together.
        pa.ArrowException, OSError: it cannot be read.
    """
    if has_more_text(path, MOST_TEXT_MB * 1_000_000, columns):
        raise FormatRefusedError(
            "rows", f"The texts of {path} unpack to more than {MOST_TEXT_MB:,} MB: leave out the long ones."
        )


def has_more_text(source: Path | IO[bytes], most: int, columns: Collection[str] | None = None) -> bool:
    """Whether the texts of a Parquet file have more bytes than ``most``; each is read once, however often it stands."""
    with pq.ParquetFile(source) as file:
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
    texts = [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type in _TEXTS
        if columns is None or leaf.path in columns or leaf.path.partition(".")[0] in columns
    ]
    if not texts:
        return False
    with pq.ParquetFile(source, read_dictionary=texts) as file:
        for batch in file.iter_batches(columns=texts):
            most -= sum(_length(one) for column in batch.columns for one in _texts_in(column))
            if most < 0:
                return True
    return False


def _texts_in(array: pa.Array) -> Iterator[pa.DictionaryArray]:
    """The texts of a column, also those inside lists and objects."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield array
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from _texts_in(array.field(i))
    elif pa.types.is_map(kind):
        yield from _texts_in(array.keys)
        yield from _texts_in(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_in(array.values)


def _length(texts: pa.DictionaryArray) -> int:
    """Bytes of all of them."""
    lengths: Any = pc.binary_length(texts.dictionary)
    return pc.sum(lengths.take(texts.indices)).as_py() or 0
