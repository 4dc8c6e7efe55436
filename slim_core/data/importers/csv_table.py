"""Any CSV, TSV, Parquet or JSON Lines file with one row an image and named columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slim_core.data.checks.build import MISSING_WORDS
from slim_core.data.checks.splits import holds_split_words
from slim_core.data.draft import BOTH, Draft, as_option, names_option, need_columns, need_different, texts
from slim_core.data.importers.folders import (
    IMAGE_SUFFIXES,
    found_in,
    has_images,
    is_file,
    is_hidden,
    subfolders,
    suffix_of,
)
from slim_core.data.report import NAMED, FormatRefusedError
from slim_core.data.table import BOX_COLUMNS
from slim_core.data.tables import header_of, is_parquet, read_head, read_table
from slim_core.errors import quoted

COMMON_NAMES = {
    "path": ("path", "filename", "file_name", "img_filename", "image_path", "filepath", "file", "image", "img"),
    "split": ("split", "partition", "set", "subset"),
    "label": ("label", "y", "class", "target", "label_name", "category"),
    "attribute": ("attribute", "a", "place", "context", "group_attribute", "spurious", "background"),
    "mask": ("mask", "mask_path", "segmentation", "mask_filename"),
    "unit": ("patient", "patient_id", "patientid", "subject_id", "lesion_id", "video_id"),
}
BOX_NAMES = {
    "box_x": ("box_x", "bbox_x", "x"),
    "box_y": ("box_y", "bbox_y"),
    "box_width": ("box_width", "bbox_width", "bbox_w", "box_w"),
    "box_height": ("box_height", "bbox_height", "bbox_h", "box_h"),
}
WORDS = {"path": "image", "label": "label", "split": "split", "attribute": "attribute", "mask": "mask", "unit": "unit"}
NEEDED = ("path", "label")
_DRIVE = re.compile(r"[A-Za-z]:/")  # of Windows
NO_COLUMN = "none"  # as the option of a role: no column, although one has its common name
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq", ".jsonl", ".txt")
MOST_VALUES, IMAGES_EACH = 20, 5  # of a column that may be the attribute: values at most, images of each on average
FILE_NAMES = ("metadata", "data", "labels", "table", "dataset", "index")


class CsvTable:
    """Columns by common names, or by the names given as options."""

    name = "csv"
    about = (
        "a CSV, TSV, Parquet or JSONL file with columns for path and label; split, attribute(s), mask and box optional"
    )
    options: tuple[str, ...] = (*COMMON_NAMES, *BOX_NAMES, "file", "label_names", "attribute_names")

    def matches(self, path: Path) -> str | None:
        """There is a table to read, and it is not one about the class folders beside it."""
        found = self.table_of(path)
        if found is None or (path.is_dir() and _is_about_folders(path / found)):
            return None
        return f"{found} is its table"

    def table_of(self, path: Path) -> str | None:
        """Name of the table that a folder is read from, where it is clear which."""
        found = _find_file(path)
        return found.name if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        source = _table_file(path, options)
        frame = read_table(source)
        columns = _columns(frame, options, source.name)
        _require_different(columns, names_option(options, "attribute") or (), source.name)
        _require_single(source, (*columns.values(), *(names_option(options, "attribute") or ())))
        mask, attributes = columns.get("mask"), _attributes(frame, options, columns, source.name)
        _require_paths(frame[columns["path"]], source.name)
        unread = _unread_splits(frame, columns)
        unread += () if options.get("attribute") else _unread_attributes(frame, columns)
        paths, notes = _placed(frame[columns["path"]], source.parent)
        return Draft(
            source=source.name,
            metadata=(source,),
            root=source.parent,
            paths=paths,
            splits=frame[columns["split"]] if "split" in columns else None,
            labels=frame[columns["label"]],
            attributes=attributes,
            masks=_placed(frame[mask], source.parent, masks=True)[0] if mask else None,
            boxes=_boxes(frame, columns, source.name),
            units=frame[columns["unit"]] if "unit" in columns else None,
            label_names=names_option(options, "label_names"),
            attribute_name=str(attributes.name) if attributes is not None else None,
            attribute_names=names_option(options, "attribute_names"),
            may_be_names=BOTH,
            lines=not is_parquet(source),
            notes=(*notes, *unread),
        )


def _placed(cells: pd.Series, folder: Path, *, masks: bool = False) -> tuple[pd.Series, tuple[str, ...]]:
    """The names of files as they are found from ``folder``, and a sentence on each thing that was understood there.

    Understood are the separators of Windows, absolute paths of another machine, names without their suffix or with one
    in other capitals, and files that lie in "images" or the like.
    """
    notes: list[str] = []
    names = texts(cells)
    first = next(iter(names[names != ""]), "")
    if "\\" in first and not is_file(folder, first):
        names, first = names.str.replace("\\", "/"), first.replace("\\", "/")
    if before := _elsewhere(first, folder):
        names, first = names.str.removeprefix(before), first.removeprefix(before)
        notes.append(f"The paths begin with {before}, which is not here: they are read from {folder}.")
    names, first = _with_suffix_on_disk(names, first, folder)
    suffix = "" if first.lower().endswith(IMAGE_SUFFIXES) else suffix_of(folder, first, masks=masks)
    inside = found_in(folder, first + suffix, masks=masks)
    if inside:
        notes.append(f"The images lie in {inside}/.")
    within = f"{inside}/" if inside else ""
    return names.where(names == "", within + names + suffix), tuple(notes)


def _elsewhere(first: str, folder: Path) -> str:
    """What an absolute path of another machine begins with, where the rest of it is a file in ``folder``; else ""."""
    if not (first.startswith("/") or _DRIVE.match(first)) or is_file(folder, first):
        return ""
    parts = first.split("/")
    rests = ("/".join(parts[i:]) for i in range(1, len(parts)))
    found = next((rest for rest in rests if rest and is_file(folder, rest)), "")
    return first.removesuffix(found) if found else ""


def _with_suffix_on_disk(names: pd.Series, first: str, folder: Path) -> tuple[pd.Series, str]:
    """With suffixes in the case that the files have: .jpg where the table says .JPG."""
    stem, _, suffix = first.rpartition(".")
    other = f"{stem}.{suffix.swapcase()}"
    if not suffix or is_file(folder, first) or not is_file(folder, other):
        return names, first
    return names.str.replace(rf"\.{re.escape(suffix)}$", f".{suffix.swapcase()}", regex=True), other


def _require_paths(cells: pd.Series, source: str) -> None:
    """Refuse a table that holds the images themselves, as those of the Hugging Face hub do."""
    if cells.map(lambda cell: isinstance(cell, dict)).any():
        raise FormatRefusedError(
            "bytes",
            f"{source} holds the images themselves in the column {cells.name}, not their paths: read it as "
            "huggingface.",
        )


def _attributes(
    frame: pd.DataFrame, options: Mapping[str, str], columns: Mapping[str, str], source: str
) -> pd.Series | None:
    """The attribute's column; several joined by commas are crossed: "urban, night" is one value of "place, time".

    Where columns share a value, as those of 0 and 1 do, it says of which it is: "glasses=0, beard=1".
    """
    named = names_option(options, "attribute")
    if "attribute" in columns or named is None or len(named) < 2:
        return frame[columns["attribute"]] if "attribute" in columns else None
    need_columns(frame, named, source, "correct the option attribute")
    parts = [_words(frame[name]) for name in named]
    if len(set().union(*parts) - {""}) < sum(len(set(part) - {""}) for part in parts):
        parts = [part.where(part == "", f"{name}=" + part) for name, part in zip(named, parts, strict=True)]
    together = pd.concat(parts, axis=1)
    whole = (together != "").all(axis=1)
    crossed = _joined(together).where(whole, "")
    if crossed[whole].nunique() < len(together[whole].drop_duplicates()):
        crossed = _joined(together.map(lambda value: as_option([value]))).where(whole, "")
    return crossed.rename(", ".join(named))


def _joined(values: pd.DataFrame) -> pd.Series:
    """(N,) the values of each row by commas: "a, b" and "c" as "a" and "b, c", where they are not in quotes."""
    return values.agg(", ".join, axis=1)


def _words(cells: pd.Series) -> pd.Series:
    """(N,) texts, "" for a cell that says nothing."""
    words = texts(cells)
    return words.where(~words.str.lower().isin(MISSING_WORDS), "")


def _unread_splits(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence on a column of nothing but words for splits, where none is read: the splits would be made anew."""
    others = [] if "split" in columns else [name for name in frame if name not in columns.values()]
    return tuple(
        f"The column {name} holds only words for splits ({', '.join(sorted(set(frame[name].astype(str))))}), and is "
        f"not read: split={name} takes them."
        for name in others
        if holds_split_words(frame[name])
    )


def _unread_attributes(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence on columns that may well be the attribute, where none has one of its names."""
    if "attribute" in columns:
        return ()
    others = [name for name in frame if name not in columns.values() and not holds_split_words(frame[name])]
    n_values = frame[others].astype(str).nunique()
    likely = n_values[(n_values >= 2) & (n_values <= min(MOST_VALUES, len(frame) // IMAGES_EACH))]
    if likely.empty:
        return ()
    named = ", ".join(f"{name} ({n} values)" for name, n in likely[:NAMED].items())
    more = ", ..." if len(likely) > NAMED else ""
    return (
        f"No column is read as the attribute. Of the others, {named}{more} may be one: attribute={likely.index[0]}.",
    )


def _find_file(path: Path) -> Path | None:
    """The named file, the one table of the folder, or the one with the most usual name."""
    if path.is_file():
        return path if path.name.lower().endswith(SUFFIXES) else None
    tables = [p for p in tables_in(path) if not p.name.lower().endswith(".txt")]
    usual = [p for stem in FILE_NAMES for p in tables if p.name.lower().partition(".")[0] == stem]
    return usual[0] if usual else (tables[0] if len(tables) == 1 else None)


def _is_about_folders(table: Path) -> bool:
    """Whether a table has no more rows than there are class folders beside it, and no column of images."""
    folders = [name for name in subfolders(table.parent) if has_images(table.parent / name)]
    if len(folders) < 2 or set(map(str.lower, header_of(table))) & set(COMMON_NAMES["path"]):
        return False
    try:
        head = read_head(table, len(folders) + 1).astype(str)
    except FormatRefusedError:
        return False
    names_images = any(head[name].str.lower().str.endswith(IMAGE_SUFFIXES).any() for name in head)
    return len(head) <= len(folders) and not names_images


def tables_in(folder: Path) -> list[Path]:
    """The files of a folder that are tables by their names, by name."""
    found = (one for one in folder.glob("*") if one.name.lower().endswith(SUFFIXES) and not is_hidden(one.name))
    return sorted(one for one in found if one.is_file())


def _table_file(path: Path, options: Mapping[str, str]) -> Path:
    if options.get("file"):
        return path / Path(options["file"]).name if path.is_dir() else path
    found = _find_file(path)
    if found is None:
        raise FormatRefusedError(
            "no-metadata",
            f"{path} holds no CSV, TSV or Parquet file, or several: name it with the option file=NAME.",
        )
    return found


def _columns(frame: pd.DataFrame, options: Mapping[str, str], source: str) -> dict[str, str]:
    """Role -> column name, for every role that has a column."""
    columns, known = {}, alike(frame.columns)
    for role, common in {**COMMON_NAMES, **BOX_NAMES}.items():
        given = options.get(role, "")
        if role == "attribute" and given not in frame and (several := names_option(options, role)):
            if len(several) > 1:
                continue  # crossed in _attributes
            given = several[0]
        if given == NO_COLUMN and given not in frame and role not in NEEDED:
            continue
        if given:
            need_columns(frame, (given,), source, f"correct the option {role}")
            columns[role] = given
        else:
            found = next((known[name] for name in common if name in known), [])
            if role in COMMON_NAMES:
                require_one(found, role, source)
            columns |= {role: found[0]} if found else {}
    missing = [role for role in NEEDED if role not in columns]
    if missing:
        _require_header(frame, source)
        tried = "; ".join(f"{role}: {', '.join(COMMON_NAMES[role])}" for role in missing)
        named = " and ".join(f"{role}=COLUMN" for role in missing)
        option = "option" if len(missing) == 1 else "options"
        remedy = f"rename a column (understood are {tried}), or name it with the {option} {named}"
        need_columns(frame, missing, source, remedy)
    return columns


def alike(names: Iterable[object]) -> dict[str, list[str]]:
    """In small letters and without blanks around it -> the columns of that name, as they are written."""
    found: dict[str, list[str]] = {}
    for name in map(str, names):
        found.setdefault(name.strip().lower(), []).append(name)
    return found


def require_one(columns: Sequence[str], role: str, source: str) -> None:
    """Refuse columns of which one would be taken, and the others passed over, without a word."""
    if len(columns) > 1:
        named = " and ".join(map(quoted, columns))
        raise FormatRefusedError(
            "columns",
            f"{source} has the columns {named}, which differ only in capitals or blanks: name the one you mean with "
            f"{role}=COLUMN, or rename the others.",
        )


def _require_header(frame: pd.DataFrame, source: str) -> None:
    """Refuse a table whose first line names an image, and no columns."""
    header = [str(name) for name in frame.columns]
    if any(name.lower().endswith(IMAGE_SUFFIXES) for name in header):
        raise FormatRefusedError(
            "no-header",
            f"{source} has no header: its first line is {quoted(', '.join(header[:5]))}; begin it with a line of "
            "names, such as path,label.",
        )


def _require_single(source: Path, names: Sequence[str]) -> None:
    """Refuse a table with several columns of a name that is read: one of them would be taken without a word."""
    header = () if is_parquet(source) else header_of(source)
    for name in names:
        if (n := header.count(name)) > 1:
            raise FormatRefusedError(
                "columns", f"{source.name} has {n} columns named {name}: rename all but the one you mean."
            )


def _require_different(columns: Mapping[str, str], attributes: Sequence[str], source: str) -> None:
    """Refuse a column that is to be two things."""
    chosen = [(WORDS[role], columns[role]) for role in WORDS if role in columns]
    chosen += [("attribute", name) for name in attributes if "attribute" not in columns]
    need_different(chosen, source)


def _boxes(frame: pd.DataFrame, columns: Mapping[str, str], source: str) -> pd.DataFrame | None:
    """(N, 4) BOX_COLUMNS where all four columns are there; an empty cell means no box."""
    if not set(BOX_COLUMNS) <= set(columns):
        return None
    raw = frame[[columns[c] for c in BOX_COLUMNS]].set_axis(list(BOX_COLUMNS), axis=1)
    try:
        boxes = raw.replace("", None).apply(pd.to_numeric)
    except ValueError as error:
        raise FormatRefusedError("boxes", f"{source} has a box that is not a number ({error}): repair it.") from error
    values = boxes.to_numpy(np.float64, copy=True)
    values[np.isnan(values).any(axis=1)] = np.nan
    return pd.DataFrame(values, columns=list(BOX_COLUMNS))
