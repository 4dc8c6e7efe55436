"""The files in which data sets of Hugging Face lie on disk: Parquet as on the Hub, Arrow of save_to_disk or a cache."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from slim_core.data.checks.splits import SPLIT_WORDS
from slim_core.data.files.metadata.json_files import read_json
from slim_core.data.files.metadata.own_file import require_own_file
from slim_core.data.files.metadata.tables import is_parquet
from slim_core.data.files.parquet_size import require_readable_size
from slim_core.data.files.stand_ins import stand_in_refusal
from slim_core.data.importers.folders import is_hidden
from slim_core.data.report import FormatRefusedError
from slim_core.data.table import SPLITS
from slim_core.errors import first_line

DEEPEST = 3  # folders between a data set and its Parquet files: CONFIGURATION/SPLIT/0000.parquet
MOST_FILES, MOST_FOLDERS = 10_000, 200  # of a folder that are looked at
AT_ONCE = 32  # images that are in memory
_WORDS = {word: split for split, words in SPLIT_WORDS.items() for word in (*words, split) if word.isalpha()}
_SPLIT_OF = _WORDS | {"eval": "test", "evaluation": "test"}
_SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
T = TypeVar("T")
_IMAGE_NAMES = ("image", "img", "image_bytes", "jpg", "png")  # of columns of plain bytes


@dataclass(frozen=True)
class Shard:
    """One file, and the split that its name or its folder gives; "" where they give none."""

    path: Path
    split: str

    @cached_property
    def schema(self) -> pa.Schema:
        """Its columns.

        Raises:
            FormatRefusedError: it cannot be read.
        """
        with _explained(self.path):
            found = pq.read_schema(require_own_file(self.path)) if is_parquet(self.path) else self._of_stream()
            "".join(found.names)  # raises what Arrow itself does not look for: names that are no text
            return found

    @property
    def n_rows(self) -> int:
        """Its rows, as its metadata has them."""
        with _explained(self.path):
            if is_parquet(self.path):
                return int(pq.read_metadata(require_own_file(self.path)).num_rows)
            with self._batches() as batches:
                return sum(batch.num_rows for batch in batches)

    def n_bytes(self, column: str) -> int:
        """About how much the content of the images of a column takes; 0 where none lies inside."""
        with _explained(self.path):
            if is_parquet(self.path):
                with pq.ParquetFile(require_own_file(self.path)) as file:
                    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
                    cells = (batch.column(0) for batch in file.iter_batches(AT_ONCE, columns=[column]))
                    # what the file says of one column is not asked: pyarrow ends the process where that is damaged
                    return sum(group.total_byte_size for group in groups) if any(map(_n_bytes, cells)) else 0
            with self._batches() as batches:
                return sum(_n_bytes(batch.column(column)) for batch in _checked(batches))

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns as a whole; without the images they are small."""
        with _explained(self.path):
            if is_parquet(self.path):
                require_readable_size(require_own_file(self.path), columns)
                return pq.read_table(self.path, columns=list(columns), partitioning=None)
            with self._batches() as batches:
                return pa.Table.from_batches([batch.select(list(columns)) for batch in _checked(batches)])

    def cells(self, column: str) -> Iterator[Any]:
        """The values of a column, a few at a time."""
        with _explained(self.path):
            if is_parquet(self.path):
                with pq.ParquetFile(require_own_file(self.path)) as file:
                    for batch in file.iter_batches(AT_ONCE, columns=[column]):
                        yield from batch.column(0).to_pylist()
            else:
                with self._batches() as batches:
                    for batch in _checked(batches):
                        yield from (cell.as_py() for cell in batch.column(column))

    def _of_stream(self) -> pa.Schema:
        with self._batches() as batches:
            return batches.schema

    @contextmanager
    def _batches(self) -> Iterator[pa.RecordBatchReader]:
        """The batches of an Arrow file, which is mapped and not read."""
        with pa.memory_map(str(require_own_file(self.path))) as source, pa.ipc.open_stream(source) as reader:
            yield reader


@dataclass(frozen=True)
class Shards:
    """The files of a data set in their order, what they are, and the features that they name."""

    shards: tuple[Shard, ...]
    reason: str
    features: Mapping[str, Any]
    records: tuple[Path, ...]  # the files by which a change is noticed

    @property
    def where(self) -> str:
        """The files, for messages."""
        first, more = self.shards[0].path.name, len(self.shards) - 1
        return first if not more else f"{first} and {more:,} more file{'s' if more > 1 else ''}"

    def image_columns(self) -> list[str]:
        """Those that the features call images, or that hold the bytes of files."""
        named = [name for name, one in self.features.items() if kind_of(one) == "Image"]
        return named or [column.name for column in self.shards[0].schema if _holds_files(column)]


def find_shards(path: Path, configuration: str = "") -> Shards | None:
    """The files of the data set in a folder, or the one Parquet file; None where there are none with images.

    Raises:
        FormatRefusedError: they lie there, and are incomplete, or of several configurations of which none is named.
    """
    if (path / "dataset_dict.json").is_file() or _is_saved(path):
        return _saved(path)
    if (path / "dataset_info.json").is_file() and (cached := _cached(path)):
        return cached
    return _parquet(path, configuration)


def kind_of(feature: object) -> str:
    """The type of a feature, such as "Image" or "ClassLabel"; "" where it names none."""
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What Arrow finds wrong with a file, in a sentence."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, ValueError, IndexError) as error:  # of a name, a cell, no cell at all
        raise FormatRefusedError(
            "unreadable-metadata",
            stand_in_refusal(path, "a data set")
            or f"{path} cannot be read as {_form(path)} ({first_line(error)}): download or save it again.",
        ) from error


def _checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """None of whose cells lies elsewhere: Arrow believes a file, and would read on in the memory of this process.

    Raises:
        pa.ArrowInvalid: one does.
    """
    for batch in batches:
        batch.validate(full=True)
        yield batch


def _form(path: Path) -> str:
    return "Parquet" if is_parquet(path) else "Arrow"


def _n_bytes(column: pa.Array) -> int:
    """Bytes of the contents in a column of images; 0 where they are named by path alone."""
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") < 0:
        return 0
    held = column.field("bytes") if pa.types.is_struct(column.type) else column
    return int(held.nbytes) if _is_binary(held.type) and held.null_count < len(held) else 0


def _holds_files(column: pa.Field) -> bool:
    kind = column.type
    if pa.types.is_struct(kind):
        return any(kind.field(i).name == "bytes" and _is_binary(kind.field(i).type) for i in range(kind.num_fields))
    return _is_binary(kind) and column.name.lower() in _IMAGE_NAMES


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


# Arrow


def _is_saved(path: Path) -> bool:
    return (path / "state.json").is_file() and any(path.glob("*.arrow"))


def _saved(path: Path) -> Shards:
    """What save_to_disk writes: a folder for each split, or one alone."""
    parts = {"": path} if _is_saved(path) else _splits(path)
    shards = [Shard(file, split) for split, part in parts.items() for file in sorted(part.glob("*.arrow"))]
    reason = "state.json lies beside Arrow files" if "" in parts else "dataset_dict.json is there"
    return Shards(
        tuple(shards), reason, _features(next(iter(parts.values()))), tuple(p / "state.json" for p in parts.values())
    )


def _splits(path: Path) -> dict[str, Path]:
    """Split -> its folder."""
    names = _field(path / "dataset_dict.json", "splits", list, "lists no splits")
    missing = [name for name in names if Path(str(name)).name != name or not _is_saved(path / name)]
    if missing or not names:
        raise FormatRefusedError(
            "missing-metadata", f"{path} lacks the Arrow files of {missing or 'any split'}: save the data set again."
        )
    return {name: path / name for name in names}


def _features(part: Path) -> dict[str, Any]:
    return _field(part / "dataset_info.json", "features", dict, "names no features")


def _field(file: Path, key: str, kind: type[T], lacks: str) -> T:
    content = read_json(file)
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, kind):
        raise FormatRefusedError("unreadable-metadata", f"{file} {lacks}: save the data set again.")
    return found


def _cached(path: Path) -> Shards | None:
    """What load_dataset keeps in its cache: NAME-SPLIT.arrow beside dataset_info.json."""
    files = [file for file in sorted(path.glob("*.arrow")) if not file.name.startswith(("cache-", "tmp"))]
    shards = _in_order(Shard(file, split_of(Path(file.name))) for file in files)
    if not shards:
        return None
    return Shards(shards, "dataset_info.json lies beside Arrow files", _features(path), (path / "dataset_info.json",))


# Parquet


def _parquet(path: Path, configuration: str) -> Shards | None:
    place = _of_cache(path)
    is_one = place.is_file() and is_parquet(place)
    base = place.parent if is_one else place
    by_configuration: dict[str, list[Path]] = {}
    for file in [place] if is_one else sorted(_parquet_files(place, 0)):
        by_configuration.setdefault(_configuration(file.relative_to(base)), []).append(file)
    names = [name for name, files in by_configuration.items() if _has_images(files[0])]
    if not names:
        return None
    chosen = by_configuration[_chosen(names, configuration, path)]
    shards = _in_order(Shard(file, split_of(file.relative_to(base))) for file in chosen)
    return Shards(shards, f"{shards[0].path.name} holds images", _named_features(shards[0]), tuple(chosen))


def _of_cache(path: Path) -> Path:
    """The newest snapshot, where the folder is that of a data set in the cache of the Hub."""
    kept = path / "snapshots"
    snapshots = [one for one in kept.iterdir() if one.is_dir()] if kept.is_dir() and (path / "blobs").is_dir() else []
    return max(snapshots, key=lambda one: one.stat().st_mtime) if snapshots else path


def _parquet_files(folder: Path, depth: int) -> Iterator[Path]:
    """Those of a folder and of the folders in it, links to folders not followed."""
    try:
        with os.scandir(folder) as inside:
            entries = [one for one in islice(inside, MOST_FILES) if not is_hidden(one.name)]
    except OSError:
        return
    yield from (Path(one.path) for one in entries if one.name.lower().endswith((".parquet", ".pq")) and one.is_file())
    folders = sorted(one.path for one in entries if one.is_dir(follow_symlinks=False)) if depth < DEEPEST else []
    for path in folders[:MOST_FOLDERS]:
        yield from _parquet_files(Path(path), depth + 1)


def _has_images(file: Path) -> bool:
    """Whether a Parquet file does; one that is named as on the Hub and cannot be read is refused when it is read."""
    shard = Shard(file, "")
    try:
        return bool(Shards((shard,), "", _named_features(shard), ()).image_columns())
    except FormatRefusedError:
        return bool(_SHARD.search(file.stem))


def _named_features(shard: Shard) -> dict[str, Any]:
    """The features in the metadata that ``datasets`` leaves in a Parquet file; none where there is none."""
    try:
        features = json.loads((shard.schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return dict(features) if isinstance(features, dict) else {}


def _in_order(shards: Iterable[Shard]) -> tuple[Shard, ...]:
    """Those of train first, of no split last."""
    order = [*SPLITS, ""]
    return tuple(sorted(shards, key=lambda one: (order.index(one.split), one.path)))


def split_of(file: Path) -> str:
    """The split that a file is of by its name, else by its folders, as the Hub has it; "" where nothing says so."""
    for name in (_SHARD.sub("", file.stem), *reversed(file.parent.parts)):
        found = [_SPLIT_OF[word] for word in re.split(r"[^a-z]+", name.lower()) if word in _SPLIT_OF]
        if found:
            return found[0]
    return ""


def _configuration(file: Path) -> str:
    """The folder that stands for one of several versions of a data set; "" where there is none."""
    known = ("data", "parquet", *_SPLIT_OF)
    return next((name for name in file.parent.parts if name.lower() not in known), "")


def _chosen(names: Sequence[str], configuration: str, path: Path) -> str:
    """The configuration that is meant.

    Raises:
        FormatRefusedError: there are several, and none of them is named.
    """
    meant = configuration or ("default" if "default" in names else names[0])
    if meant not in names or (len(names) > 1 and not configuration and meant != "default"):
        raise FormatRefusedError(
            "configurations",
            f"{path} holds the configurations {', '.join(name or '(without a name)' for name in names)}: "
            "name one with config=NAME.",
        )
    return meant
