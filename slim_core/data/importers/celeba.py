"""CelebA: any attribute as the target, any other as the spurious one (Blond_Hair and Male by default).

Three forms: list_attr_celeba.csv + list_eval_partition.csv, the original whitespace .txt files with a count line,
or a metadata.csv. The images may be nested twice in img_align_celeba.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft, find_masks, need_columns
from slim_core.data.files.own_file import require_own_file
from slim_core.data.files.tables import header_of, read_table, sniff_delimiter, unreadable
from slim_core.data.importers.waterbirds import folder_of, mask_candidates
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted

ATTRIBUTES = "list_attr_celeba"
PARTITION = "list_eval_partition"
METADATA = (*(f"{one}{suffix}" for one in (ATTRIBUTES, PARTITION) for suffix in (".csv", ".txt")), "metadata.csv")
IMAGES = "img_align_celeba"
TARGET, ATTRIBUTE = "Blond_Hair", "Male"
EXPECTED = {
    "train": (71629, 66874, 22880, 1387),
    "val": (8535, 8276, 2874, 182),
    "test": (9767, 7535, 2480, 180),
}
FULL_SIZE = 202_599
PARTITION_NAMES = ("partition", "split", "evaluation_status")
ID_NAMES = ("image_id", "img_filename", "filename", "image", "img_id")


class CelebA:
    """Two of CelebA's forty attributes as label and spurious attribute."""

    name = "celeba"
    about = "list_attr_celeba and list_eval_partition (.csv or .txt), or metadata.csv; options target=, attribute="
    options: tuple[str, ...] = ("target", "attribute")

    def matches(self, path: Path) -> str | None:
        """CelebA's own files lie there, or a metadata.csv with its default target."""
        folder = folder_of(path, *METADATA)
        if found := _find(folder, ATTRIBUTES):
            return f"{found.name} is there"
        return f"metadata.csv has the column {TARGET}" if TARGET in header_of(folder / "metadata.csv") else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = folder_of(path, *METADATA)
        target, attribute = options.get("target") or TARGET, options.get("attribute") or ATTRIBUTE
        source, frame = _joined(folder)
        need_columns(frame, (target, attribute), source, "choose target and attribute among the columns")
        images = _images_folder(folder)
        paths = frame["image_id"].fillna("").map(lambda name: f"{images}/{name}" if images else name)
        published = len(frame) == FULL_SIZE and (target, attribute) == (TARGET, ATTRIBUTE)
        masks = folder / "masks"
        return Draft(
            source=source,
            metadata=tuple(path for path in (_find(folder, ATTRIBUTES), _find(folder, PARTITION)) if path)
            or (folder / source,),
            root=folder,
            paths=paths,
            splits=frame["split"],
            labels=_binary(frame[target]),
            attributes=_binary(frame[attribute]),
            masks=_masks(masks, paths) if masks.is_dir() else None,
            label_names=_names(target),
            attribute_name=attribute,
            attribute_names=_names(attribute),
            expected=EXPECTED if published else {},
        )


def _names(attribute: str) -> tuple[str, str]:
    word = attribute.replace("_", " ").lower()
    return ("female", "male") if attribute == "Male" else (f"not {word}", word)


def _binary(column: pd.Series) -> pd.Series:
    """-1/1 as 0/1; anything else is left for the check of integers to name."""
    return column.astype(str).str.strip().replace({"-1": "0"})


def _find(folder: Path, stem: str) -> Path | None:
    places = (folder, folder / "Anno", folder / "Eval", folder / "celeba")
    names = [place / f"{stem}{suffix}" for place in places for suffix in (".csv", ".txt")]
    return next((path for path in names if path.is_file()), None)


def _joined(folder: Path) -> tuple[str, pd.DataFrame]:
    """The file's name, and its rows with the columns image_id, split and the attributes."""
    attributes = _find(folder, ATTRIBUTES)
    if attributes is None:
        frame = _with_id(read_table(folder / "metadata.csv"), "metadata.csv")
        split = next((name for name in PARTITION_NAMES if name in frame), "split")
        need_columns(frame, (split,), "metadata.csv")
        return "metadata.csv", frame.rename(columns={split: "split"})
    partition = _find(folder, PARTITION)
    if partition is None:
        raise FormatRefusedError(
            "missing-metadata", f"{folder} lacks {PARTITION}.csv or .txt: put it beside {attributes.name}."
        )
    frame = _with_id(_read(attributes), attributes.name)
    parts = _with_id(_read_partition(partition), partition.name).drop_duplicates(["image_id", "split"])
    _require_one_split(parts, partition.name)
    joined = frame.merge(parts[["image_id", "split"]], on="image_id", how="left", validate="many_to_one")
    if joined["split"].isna().all():
        raise FormatRefusedError(
            "missing-metadata",
            f"{partition.name} names none of the images of {attributes.name}: put the files of one release there.",
        )
    return attributes.name, joined


def _require_one_split(parts: pd.DataFrame, source: str) -> None:
    doubled = parts.loc[parts["image_id"].duplicated(), "image_id"]
    if len(doubled):
        raise FormatRefusedError(
            "splits",
            f"{source} puts {counted(len(doubled), 'image')} into two splits, such as {doubled.iloc[0]}: keep one "
            "line each.",
        )


def _with_id(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    found = next((name for name in ID_NAMES if name in frame), ID_NAMES[0])
    need_columns(frame, (found,), source)
    return frame.rename(columns={found: "image_id"})


def _read(path: Path) -> pd.DataFrame:
    """The attribute table; the original's first line is a count, and its header has no name for the images."""
    with require_own_file(path).open(encoding="utf-8-sig", errors="replace") as lines:
        first, second = lines.readline().strip(), lines.readline().strip()
    if not first.isdigit():
        return read_table(path)
    delimiter = sniff_delimiter(second)
    names = second.split() if delimiter == r"\s+" else second.split(delimiter)
    names = names if set(names[:1]) & set(ID_NAMES) else ["image_id", *names]
    return _parsed(path, delimiter, names, skip=2)


def _read_partition(path: Path) -> pd.DataFrame:
    """The partition table, with a header (csv) or without one (txt)."""
    with require_own_file(path).open(encoding="utf-8-sig", errors="replace") as lines:
        first = lines.readline().strip()
    delimiter = sniff_delimiter(first)
    names = first.split() if delimiter == r"\s+" else first.split(delimiter)
    has_header = any(name in PARTITION_NAMES or name in ID_NAMES for name in names)
    return _parsed(path, delimiter, ["image_id", "split"], skip=int(has_header))


def _parsed(path: Path, delimiter: str, names: list[str], skip: int) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep=delimiter, names=names, skiprows=skip, dtype=str, index_col=False)
    except (ValueError, OSError) as error:
        raise FormatRefusedError("unreadable-metadata", unreadable(path, str(error))) from error


def _images_folder(folder: Path) -> str:
    """Relative folder of the images: img_align_celeba, nested once or twice, or in Img as published; or none."""
    for name in (f"{IMAGES}/{IMAGES}", IMAGES, f"Img/{IMAGES}/{IMAGES}", f"Img/{IMAGES}", f"celeba/{IMAGES}", "images"):
        if (folder / name).is_dir():
            return name
    return ""


def _masks(folder: Path, paths: pd.Series) -> pd.Series:
    return find_masks(folder, paths, lambda path: [*mask_candidates(path), f"{Path(path).stem}.png"]).map(
        lambda name: f"masks/{name}" if name else ""
    )
