"""Data sets of Hugging Face: files that hold images and class labels, and folders of images with a table of metadata.

Parquet as it lies on the Hub or in its cache. Images that the files only name by path are used where they lie. Those
inside are written out once, where that is allowed (data.unpacking). Read by pyarrow: ``datasets`` would add a loader
that follows what a file names.

An ImageFolder is ``train/metadata.jsonl`` (or .csv, .parquet) with a column ``file_name``, beside the images or above
them. The class is a column of that table, else the folder that the image lies in.
"""

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
from typing import Any

import pandas as pd
import pyarrow as pa

from slim_core.data.bounds import require_rows
from slim_core.data.checks.splits import SPLIT_WORDS
from slim_core.data.draft import BOTH, Draft, Packed, need_columns, need_different, texts
from slim_core.data.images.codec import stand_in_refusal
from slim_core.data.importers.csv_table import COMMON_NAMES, alike, require_one
from slim_core.data.importers.folders import is_hidden, split_folders
from slim_core.data.parquet import batches_of, declared_bytes, read_columns, rows_in, schema_of
from slim_core.data.report import FormatRefusedError
from slim_core.data.table import SPLITS
from slim_core.data.tables import read_head, read_table
from slim_core.errors import first_line
from slim_core.formatting import counted, is_or_are

DEEPEST = 3  # folders between a data set and its files: CONFIGURATION/SPLIT/0000.parquet
MOST_FILES, MOST_FOLDERS = 10_000, 200  # of a folder that are looked at
_WORDS = {word: split for split, words in SPLIT_WORDS.items() for word in (*words, split) if word.isalpha()}
_SPLIT_OF = _WORDS | {"eval": "test", "evaluation": "test"}
_SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]+)?$")
_IMAGE_NAMES = ("image", "img", "image_bytes", "jpg", "png")  # of columns of plain bytes
NOT_KNOWN = "-1"  # the label of every image of a split whose labels are kept secret


class HuggingFace:
    """Its splits are those of its files, or are made."""

    name = "huggingface"
    about = "Parquet of the Hugging Face Hub; the images inside are unpacked where that is allowed"
    options: tuple[str, ...] = ("image", "label", "attribute", "config")

    def matches(self, path: Path) -> str | None:
        """Files whose columns hold images."""
        try:
            found = find_shards(path)
        except FormatRefusedError:  # ``read`` says what is wrong with it
            return "its files are named as those of the Hub"
        return found.reason if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table, without the images inside."""
        found = find_shards(path, options.get("config", ""))
        if found is None:
            raise FormatRefusedError(
                "missing-metadata", f"{path} holds no Parquet files with images: name the folder of them."
            )
        columns = _columns(found, options, path)
        shards, rows, notes = _rows(found, columns)
        attribute = columns.get("attribute")
        n_bytes = sum(shard.n_bytes(columns["image"]) for shard in shards)
        inside = Packed(found.where, len(rows), n_bytes, lambda: _images(shards, columns["image"]))
        return Draft(
            source=found.shards[0].path.name if len(found.shards) == 1 else path.name,
            metadata=found.records,
            root=path if path.is_dir() else path.parent,
            paths=pd.Series("", rows.index) if n_bytes else pd.Series(list(inside.images()), rows.index),
            packed=inside if n_bytes else None,
            splits=rows["split"] if rows["split"].ne("").any() else None,
            labels=rows["label"],
            attributes=rows["attribute"] if attribute else None,
            label_names=_names(found.features, columns["label"]),
            attribute_name=attribute,
            attribute_names=_names(found.features, attribute) if attribute else None,
            may_be_names=frozenset(one for one in BOTH & set(columns) if _names(found.features, columns[one]) is None),
            notes=notes,
        )


def _columns(found: Shards, options: Mapping[str, str], path: Path) -> dict[str, str]:
    """Role -> column: as named, else the first image and the first class label."""
    columns = {column.name: column.type for column in found.shards[0].schema}
    labels = [name for name, one in found.features.items() if kind_of(one) == "ClassLabel" and name in columns]
    lower = {name.lower(): name for name in columns}
    labels += [lower[name] for name in (*COMMON_NAMES["label"], "labels") if name in lower]
    first = {"image": next(iter(found.image_columns()), ""), "label": next(iter(labels), "")}
    chosen = {role: options.get(role) or name for role, name in first.items()}
    if options.get("attribute"):
        chosen["attribute"] = options["attribute"]
    absent = [role for role, name in chosen.items() if name not in columns]
    if absent:
        raise FormatRefusedError(
            "missing-column",
            f"{path.name} has no column for the {absent[0]} among {', '.join(columns)}: "
            f"name it with {absent[0]}=COLUMN.",
        )
    need_different(list(chosen.items()), path.name)
    _require_single(found.shards, chosen.values())
    for role in ("label", "attribute"):
        if role in chosen and pa.types.is_nested(columns[chosen[role]]):
            raise FormatRefusedError(
                "labels",
                f"The column {chosen[role]} of {path.name} holds several values an image ({columns[chosen[role]]}), "
                f"and an image has one {role} here: name another with {role}=COLUMN.",
            )
    return chosen


def _require_single(shards: Iterable[Shard], columns: Iterable[str]) -> None:
    """Refuse a file with several columns of a name that is read."""
    for shard in shards:
        if twice := [name for name in columns if shard.schema.names.count(name) > 1]:
            raise FormatRefusedError(
                "columns", f"{shard.path.name} has several columns named {twice[0]}: rename all but the one you mean."
            )


def _names(features: Mapping[str, Any], column: str) -> tuple[str, ...] | None:
    feature = features.get(column)
    if kind_of(feature) != "ClassLabel" or not isinstance(names := dict(feature or {}).get("names"), list):
        return None
    return tuple(map(str, names))


def _rows(found: Shards, columns: Mapping[str, str]) -> tuple[list[Shard], pd.DataFrame, tuple[str, ...]]:
    """The files that are read, their rows without the images, and what is said of the others."""
    n = sum(shard.n_rows for shard in found.shards)
    require_rows(found.shards[0].path, n)
    parts, notes = [(shard, _facts(shard, columns)) for shard in found.shards], []
    if any(shard.split for shard, _ in parts) and (others := [s for s, _ in parts if not s.split]):
        files = f"{counted(len(others), 'file')} of an unknown split {is_or_are(len(others))}"
        notes.append(f"{files} left out, such as {others[0].path.name}.")
        parts = [part for part in parts if part[0].split]
    for split in sorted({shard.split for shard, _ in parts}):
        if all((frame["label"].isin([NOT_KNOWN, ""])).all() for shard, frame in parts if shard.split == split):
            named = f"split {split}" if split else "split without a name"
            notes.append(f"No image of the {named} has a label: it is left out.")
            parts = [part for part in parts if part[0].split != split]
    if not parts or not sum(len(frame) for _, frame in parts):
        raise FormatRefusedError("empty-metadata", f"{found.where} has no row with a label: name another label=COLUMN.")
    shards = [shard for shard, _ in parts]
    _require_images(shards, columns["image"])
    return shards, pd.concat([frame for _, frame in parts], ignore_index=True), tuple(notes)


def _require_images(shards: list[Shard], column: str) -> None:
    without = [shard.path.name for shard in shards if column not in shard.schema.names]
    if without:
        raise FormatRefusedError(
            "missing-column",
            f"{without[0]} has no column {column}, in which the others have their images: move it elsewhere.",
        )


def _facts(shard: Shard, columns: Mapping[str, str]) -> pd.DataFrame:
    """Split, label and attribute of each row of a file, as text; "" where the file has no such column."""
    roles = [role for role in ("label", "attribute") if role in columns]
    there = [role for role in roles if columns[role] in shard.schema.names]
    table = shard.read([columns[role] for role in there])
    texts = {role: [_text(cell) for cell in table.column(columns[role]).to_pylist()] for role in there}
    absent = dict.fromkeys((role for role in roles if role not in there), "")
    return pd.DataFrame({"split": shard.split, **texts, **absent}, index=range(shard.n_rows), dtype=object)


def _text(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "" if cell is None else str(cell)


def _images(shards: list[Shard], column: str) -> Iterator[bytes | str]:
    """The content of each image; where there is none, its path, beside the file that names it."""
    for shard in shards:
        for cell in shard.cells(column):
            content, name = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, cell)
            beside = str(shard.path.parent / name) if isinstance(name, str) else ""
            yield content if isinstance(content, bytes) and content else beside


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
            return schema_of(self.path)

    @property
    def n_rows(self) -> int:
        """Its rows, as its metadata has them."""
        with _explained(self.path):
            return rows_in(self.path)

    def n_bytes(self, column: str) -> int:
        """About how much the content of the images of a column takes; 0 where none lies inside."""
        with _explained(self.path):
            # what the file says of one column is not asked: pyarrow ends the process where that is damaged
            return declared_bytes(self.path) if any(map(_holds_content, batches_of(self.path, column))) else 0

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns as a whole; without the images they are small."""
        with _explained(self.path):
            return read_columns(self.path, columns)

    def cells(self, column: str) -> Iterator[Any]:
        """The values of a column, one at a time."""
        with _explained(self.path):
            for batch in batches_of(self.path, column):
                yield from (cell.as_py() for cell in batch)


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
        FormatRefusedError: they lie there, of several configurations of which none is named.
    """
    place = _of_cache(path)
    is_one = place.is_file() and _is_shard(place.name)
    base = place.parent if is_one else place
    found = [place] if is_one else sorted(_files(place, 0))
    by_configuration: dict[str, list[Path]] = {}
    for file in found:
        by_configuration.setdefault(_configuration(file.relative_to(base)), []).append(file)
    names = [name for name, files in by_configuration.items() if _has_images(files[0])]
    if not names:
        return None
    chosen = by_configuration[_chosen(names, configuration, path)]
    shards = _in_order(Shard(file, split_of(file.relative_to(base))) for file in chosen)
    return Shards(shards, f"{shards[0].path.name} holds images", _named_features(shards[0]), tuple(chosen))


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
            or f"{path} cannot be read as Parquet ({first_line(error)}): download or save it again.",
        ) from error


def _holds_content(column: pa.Array) -> bool:
    """Whether a column of images holds them; else they are named by path alone."""
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") < 0:
        return False
    held = column.field("bytes") if pa.types.is_struct(column.type) else column
    kind = held.type.value_type if pa.types.is_dictionary(held.type) else held.type
    return _is_binary(kind) and held.null_count < len(held)


def _holds_files(column: pa.Field) -> bool:
    kind = column.type
    if pa.types.is_struct(kind):
        return any(kind.field(i).name == "bytes" and _is_binary(kind.field(i).type) for i in range(kind.num_fields))
    return _is_binary(kind) and column.name.lower() in _IMAGE_NAMES


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _of_cache(path: Path) -> Path:
    """The newest snapshot, where the folder is that of a data set in the cache of the Hub."""
    kept = path / "snapshots"
    snapshots = [one for one in kept.iterdir() if one.is_dir()] if kept.is_dir() and (path / "blobs").is_dir() else []
    return max(snapshots, key=lambda one: one.stat().st_mtime) if snapshots else path


def _is_shard(name: str) -> bool:
    return name.lower().endswith((".parquet", ".pq"))


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Those of a folder and of the folders in it, links to folders not followed."""
    try:
        with os.scandir(folder) as inside:
            entries = [one for one in islice(inside, MOST_FILES) if not is_hidden(one.name)]
    except OSError:
        return
    yield from (Path(one.path) for one in entries if _is_shard(one.name) and one.is_file())
    folders = sorted(one.path for one in entries if one.is_dir(follow_symlinks=False)) if depth < DEEPEST else []
    for path in folders[:MOST_FOLDERS]:
        yield from _files(Path(path), depth + 1)


def _has_images(file: Path) -> bool:
    """Whether a file does; one that is named as on the Hub and cannot be read is refused when it is read."""
    shard = Shard(file, "")
    try:
        return bool(Shards((shard,), "", _named_features(shard), ()).image_columns())
    except FormatRefusedError:
        return bool(_SHARD.search(file.stem))


def _named_features(shard: Shard) -> dict[str, Any]:
    """The features in the metadata that ``datasets`` leaves in a file; none where there is none."""
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


TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
FILE, MASK = "file_name", "mask_file_name"


class HuggingFaceImages:
    """Splits are folders, and the table of each names its images from where it lies itself."""

    name = "huggingface-images"
    about = "images in folders of splits with metadata.jsonl or metadata.csv there, whose column file_name names them"
    options: tuple[str, ...] = ("label", "attribute")

    def matches(self, path: Path) -> str | None:
        """A table with file_name in the folder of a split; or above them, where its names begin with theirs."""
        found = _image_tables(path)
        return f"{found[0].relative_to(path)} names images by {FILE}" if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        tables = _image_tables(path)
        if not tables:
            raise FormatRefusedError(
                "no-metadata", f"{path} holds no {', '.join(TABLES)} with a column {FILE}: name another format."
            )
        rows = pd.concat([_rows_of_table(table, path) for table in tables])
        rows = rows if len(tables) == 1 else rows.reset_index(drop=True)
        source = str(tables[0].relative_to(path)) if len(tables) == 1 else path.name
        label, attribute = (options.get(role) or _common(rows, role, source) for role in ("label", "attribute"))
        need_columns(rows, [name for name in (label, attribute) if name], source, "name it with label= or attribute=")
        folders = rows["path"].map(lambda name: Path(name).parent.name)
        if not label and set(map(split_of, map(Path, set(folders)))) != {""}:
            raise FormatRefusedError(
                "missing-column",
                f"{source} has no column for the label among {', '.join(_columns_of_table(rows))}: "
                "name it with label=COLUMN, or put the images into a folder for each class.",
            )
        return Draft(
            source=source,
            metadata=tuple(tables),
            root=path,
            paths=rows["path"],
            splits=rows["split"] if rows["split"].ne("").all() else None,
            labels=rows[label] if label else folders,
            attributes=rows[attribute] if attribute else None,
            masks=rows["mask"],
            attribute_name=attribute or None,
            may_be_names=BOTH,
            lines=len(tables) == 1 and tables[0].suffix != ".parquet",
            notes=()
            if label
            else (f"{source} has no column for the label: the folders of the images are the classes.",),
        )


def _image_tables(path: Path) -> list[Path]:
    """Those of the splits, else the one above them."""
    splits = split_folders(path)
    found = [one for split in splits if (one := _image_table(path / split)) is not None]
    if found or (above := _image_table(path)) is None:
        return found
    return [above] if above.suffix == ".jsonl" or splits else []


def _image_table(folder: Path) -> Path | None:
    return next((folder / name for name in TABLES if (folder / name).is_file() and _has_names(folder / name)), None)


def _has_names(table: Path) -> bool:
    try:
        return FILE in read_head(table, 1)
    except FormatRefusedError:
        return True  # ``read`` says what is wrong with it


def _rows_of_table(table: Path, root: Path) -> pd.DataFrame:
    """The cells of a table, with path, split and mask as they are seen from the root of the data set."""
    frame = read_table(table)
    need_columns(frame, [FILE], str(table.relative_to(root)))
    folder = table.parent.relative_to(root)
    paths = _seen_from_above(frame[FILE], folder)
    masks = _seen_from_above(frame[MASK], folder) if MASK in frame else pd.Series("", frame.index)
    splits = paths.map(lambda name: split_of(Path(name).parent / "_"))
    own = frame["split"] if "split" in frame else splits
    return frame.assign(path=paths, split=own, mask=masks)


def _seen_from_above(names: pd.Series, folder: Path) -> pd.Series:
    names = texts(names).str.replace("\\", "/")
    return names if folder == Path() else names.where(names == "", str(folder) + "/" + names)


def _common(rows: pd.DataFrame, role: str, source: str) -> str:
    known = alike(_columns_of_table(rows))
    found = next((known[name] for name in COMMON_NAMES[role] if name in known), [""])
    require_one(found, role, source)
    return found[0]


def _columns_of_table(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows if name not in ("path", "split", "mask", FILE, MASK)]
