"""Tables in Parquet, with what other writers leave in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_extension_array_dtype

from slim_core.data.files.metadata.limits import require_columns, require_rows
from slim_core.data.files.parquet_size import require_readable_size
from slim_core.data.report import FormatRefusedError


def read_parquet(path: Path) -> pd.DataFrame:
    """Counted first: a file of 50 kB may hold millions of rows."""
    with pq.ParquetFile(path) as file:
        n = file.metadata.num_rows
        require_columns(path, file.metadata.num_columns)
        _require_names(path, file.schema_arrow.names)
    require_rows(path, n)
    require_readable_size(path)
    return _with_texts(path, _as_objects(_with_index(pd.read_parquet(path))))


def parquet_head(path: Path, n: int) -> pd.DataFrame:
    """The first rows, at most ``n``."""
    with pq.ParquetFile(path) as file:
        require_columns(path, file.metadata.num_columns)
        _require_names(path, file.schema_arrow.names)
        require_readable_size(path)
        first = next(file.iter_batches(batch_size=n), file.schema_arrow.empty_table())
        return _with_texts(path, _as_objects(_with_index(first.to_pandas())))


def _require_names(path: Path, names: Sequence[str]) -> None:
    """Refuse columns that share a name: pandas gives neither of them by it."""
    name, n = Counter(names).most_common(1)[0] if names else ("", 0)
    if n > 1:
        raise FormatRefusedError(
            "columns", f"{path.name} has {n} columns named {name}: rename all but the one you mean."
        )


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
