"""Parquet, of which a file of 5 kB may hold gigabytes: bounded by what it declares, before anything is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.api.types import is_extension_array_dtype

from slim_core.data.bounds import (
    most_decoded,
    require_columns,
    require_decoded,
    require_own_file,
    require_ratio,
    require_rows,
    too_much,
)
from slim_core.data.report import FormatRefusedError

AT_ONCE = 8  # images that are in memory
EMPTY: Mapping[str, Any] = {}  # a cell that is not read
_TEXTS = ("STRING", "JSON", "ENUM", "NONE")  # of a column of bytes
_WIDE = 100  # bytes of a value that pandas holds as an object, such as a decimal number


@contextmanager
def opened_parquet(path: Path, **options: Any) -> Iterator[pq.ParquetFile]:
    """The file, where its rows, columns and declared sizes are bounded.

    Raises:
        FormatRefusedError: as ``require_own_file``, or it declares too much.
        pa.ArrowException, OSError: it cannot be read.
    """
    with pq.ParquetFile(require_own_file(path), **options) as file:
        require_ratio(path, _declared(file))
        yield file


def _declared(file: pq.ParquetFile) -> int:
    """Bytes of all its columns as they were written, before they were packed."""
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def _flat(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if not pa.types.is_nested(field.type)]


def _taken(schema: pa.Schema, names: Collection[str]) -> int:
    """Bytes of a row of these columns in pandas, without its texts."""
    return sum(_width(schema.field(name).type) for name in names)


def _width(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width) + _WIDE
    return _WIDE if pa.types.is_decimal(kind) or pa.types.is_temporal(kind) else 8


def _require_readable(path: Path, file: pq.ParquetFile, names: Sequence[str]) -> None:
    """Refuse columns that take gigabytes in memory, before they are read as they stand."""
    require_columns(path, len(file.schema_arrow.names))
    require_rows(path, file.metadata.num_rows)
    numbers = file.metadata.num_rows * _taken(file.schema_arrow, names)
    require_decoded(path, numbers)
    if has_more_text(path, most_decoded(path) - numbers, names):
        raise too_much(f"The texts of {path} unpack", most_decoded(path))


def has_more_text(source: Path | IO[bytes], most: int, columns: Collection[str]) -> bool:
    """Whether the texts of these columns have more bytes than ``most``; each is read once, however often it stands."""
    with pq.ParquetFile(source) as file:
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
        wanted = set(columns) & set(_flat(file.schema_arrow))
    texts = [
        leaf.path
        for leaf in leaves
        if leaf.path in wanted and leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type in _TEXTS
    ]
    if not texts:
        return False
    with pq.ParquetFile(source, read_dictionary=texts) as file:
        for batch in file.iter_batches(columns=texts):
            most -= sum(map(_length, batch.columns))
            if most < 0:
                return True
    return False


def _length(texts: pa.DictionaryArray) -> int:
    """Bytes of all of them."""
    lengths: Any = pc.binary_length(texts.dictionary)
    return pc.sum(lengths.take(texts.indices)).as_py() or 0


def schema_of(path: Path) -> pa.Schema:
    """The columns of a file, nested ones too."""
    with opened_parquet(path) as file:
        "".join(file.schema_arrow.names)  # raises what Arrow itself does not look for: names that are no text
        return file.schema_arrow


def rows_in(path: Path) -> int:
    """Its rows, as its metadata has them."""
    with opened_parquet(path) as file:
        return int(file.metadata.num_rows)


def declared_bytes(path: Path) -> int:
    """About how much all its columns take, unpacked."""
    with opened_parquet(path) as file:
        return _declared(file)


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """These columns as a whole."""
    with opened_parquet(path) as file:
        _require_readable(path, file, names)
        return file.read(columns=list(names))


def batches_of(path: Path, column: str) -> Iterator[pa.Array]:
    """A column of images, a few rows at a time; the bytes of one that stands in many rows are held once."""
    with opened_parquet(path) as file:
        leaves = (file.schema.column(i) for i in range(len(file.schema)))
        inside = [one.path for one in leaves if one.physical_type == "BYTE_ARRAY" and _is_of(one.path, column)]
    with opened_parquet(path, read_dictionary=inside) as file:
        for group in range(file.metadata.num_row_groups):  # Arrow joins no dictionaries of two of them
            for batch in file.iter_batches(AT_ONCE, row_groups=[group], columns=[column]):
                yield batch.column(0)


def _is_of(leaf: str, column: str) -> bool:
    return leaf in (column, f"{column}.bytes", f"{column}.path")


def read_parquet(path: Path) -> pd.DataFrame:
    """A table as it stands, with the index where it has names. Cells of several values each stand there as EMPTY."""
    with opened_parquet(path) as file:
        names = _readable(path, file)
        nested = [name for name in file.schema_arrow.names if name not in names]
    return _as_cells(path, pd.read_parquet(path, columns=names), nested)


def parquet_head(path: Path, n: int) -> pd.DataFrame:
    """The first rows, at most ``n``, likewise."""
    with opened_parquet(path) as file:
        names = _readable(path, file)
        nested = [name for name in file.schema_arrow.names if name not in names]
        first = next(file.iter_batches(batch_size=n, columns=names), file.schema_arrow.empty_table().select(names))
    return _as_cells(path, first.to_pandas(), nested)


def _readable(path: Path, file: pq.ParquetFile) -> list[str]:
    """Columns of one value a row; a cell of the others may hold millions of them.

    Raises:
        FormatRefusedError: two columns share a name, of which pandas gives neither, or they hold too much.
    """
    names = file.schema_arrow.names
    name, n = Counter(names).most_common(1)[0] if names else ("", 0)
    if n > 1:
        raise FormatRefusedError(
            "columns", f"{path.name} has {n} columns named {name}: rename all but the one you mean."
        )
    _require_readable(path, file, names)
    return _flat(file.schema_arrow)


def _as_cells(path: Path, frame: pd.DataFrame, nested: Sequence[str]) -> pd.DataFrame:
    frame = _with_texts(path, _as_objects(_with_index(frame)))
    empty = {name: pd.Series([EMPTY] * len(frame), frame.index, dtype=object) for name in nested}
    return pd.concat([frame, pd.DataFrame(empty, frame.index)], axis=1)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """With the index of pandas as columns, where it has a name: the paths may be there."""
    named = [name for name in frame.index.names if name is not None and name not in frame]
    return frame.reset_index(level=named) if named else frame


def _as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Without those types of pandas that take no text for an empty cell, as categories and whole numbers with gaps."""
    kinds = frame.dtypes.items()
    own = [name for name, kind in kinds if is_extension_array_dtype(kind) and not isinstance(kind, pd.StringDtype)]
    return frame.astype(dict.fromkeys(own, object))


def _with_texts(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Cells of bytes as the texts they are; some writers know no other.

    Raises:
        FormatRefusedError: bytes are not text in UTF-8.
    """
    for column in [name for name, kind in frame.dtypes.items() if kind.kind == "O"]:
        if frame[column].map(lambda cell: isinstance(cell, bytes)).any():
            try:
                frame[column] = frame[column].map(lambda cell: cell.decode() if isinstance(cell, bytes) else cell)
            except UnicodeDecodeError as error:
                raise FormatRefusedError(
                    "bytes", f"{path} holds bytes in the column {column}, not text: write texts, or leave it out."
                ) from error
    return frame
