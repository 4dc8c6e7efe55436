"""A data set of Hugging Face on disk, with an image and a class label: Parquet as it lies on the Hub, or Arrow files.

Images that the files only name by path are used where they lie. Those inside are written out once, where that is
allowed (data.incoming.packed).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from slim_core.data.draft import Draft
from slim_core.data.files.metadata.limits import require_rows
from slim_core.data.importers.csv_table import COMMON_NAMES
from slim_core.data.importers.huggingface_files import Shard, Shards, find_shards, kind_of
from slim_core.data.incoming.packed import Packed
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted, is_or_are

NOT_KNOWN = "-1"  # the label of every image of a split whose labels are kept secret


class HuggingFace:
    """Its splits are those of its files, or are made."""

    name = "huggingface"
    about = "Parquet of the Hugging Face Hub, or Arrow of datasets; the images inside are unpacked where allowed"
    options: tuple[str, ...] = ("image", "label", "attribute", "config")

    def matches(self, path: Path) -> str | None:
        """Files of either kind whose columns hold images."""
        try:
            found = find_shards(path)
        except FormatRefusedError:  # ``read`` says what is wrong with it
            return "its files are named as those of the Hub or of datasets"
        return found.reason if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table, without the images inside."""
        found = find_shards(path, options.get("config", ""))
        if found is None:
            raise FormatRefusedError(
                "missing-metadata", f"{path} holds no Parquet or Arrow files with images: name the folder of them."
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
            strict_integers=_names(found.features, columns["label"]) is not None,
            strict_attributes=attribute is not None and _names(found.features, attribute) is not None,
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
    _require_single(found.shards, chosen)
    for role in ("label", "attribute"):
        if role in chosen and pa.types.is_nested(columns[chosen[role]]):
            raise FormatRefusedError(
                "labels",
                f"The column {chosen[role]} of {path.name} holds several values an image ({columns[chosen[role]]}), "
                f"and an image has one {role} here: name another with {role}=COLUMN.",
            )
    return chosen


def _require_single(shards: Iterable[Shard], chosen: Mapping[str, str]) -> None:
    """Refuse a column that is to be two things, and a file with several columns of a name that is read."""
    roles = {name: role for role, name in chosen.items()}
    for role, name in chosen.items():
        if roles[name] != role:
            raise FormatRefusedError(
                "columns", f"The column {name} is used as {role} and as {roles[name]}: name another for one of them."
            )
    for shard in shards:
        if twice := [name for name in roles if shard.schema.names.count(name) > 1]:
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
