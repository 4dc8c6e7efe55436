"""A Hugging Face ``datasets`` folder on disk (``save_to_disk``): Arrow files with an image and a class label.

Images that the files only name by path are used where they lie. Images that lie inside the files are written out once,
beside nothing of the user's: into ``imported/`` of SLIM_HOME, under the content's fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from slim_core.data.draft import Draft, own, read_json
from slim_core.data.report import FormatRefusedError
from slim_core.data.unpacked import IMPORTED
from slim_core.settings import settings

SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp"}


class HuggingFace:
    """A DatasetDict, or one Dataset whose splits are made."""

    name = "huggingface"
    about = "a folder written by datasets' save_to_disk; options image=, label=, attribute= name the columns"
    options: tuple[str, ...] = ("image", "label", "attribute")

    def matches(self, path: Path) -> str | None:
        """The files that save_to_disk leaves."""
        if (path / "dataset_dict.json").is_file():
            return "dataset_dict.json is there"
        return "state.json lies beside Arrow files" if _is_dataset(path) else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table; embedded images are written out."""
        parts = _parts(path)
        features = _features(next(iter(parts.values())))
        columns = _columns(features, options, path)
        home = settings().home.resolve() / IMPORTED
        rows = pd.DataFrame([row for split, part in parts.items() for row in _rows(part, split, columns, home)])
        labels = _names(features, columns["label"])
        attribute = columns.get("attribute")
        inside = int(rows["path"].str.startswith(str(home)).sum())
        return Draft(
            source=path.name,
            metadata=tuple(part / "state.json" for part in parts.values()),
            root=path,
            paths=rows["path"],
            splits=rows["split"] if len(parts) > 1 else None,
            labels=rows["label"].astype(str),
            attributes=rows["attribute"].astype(str) if attribute else None,
            label_names=labels,
            attribute_name=attribute,
            attribute_names=_names(features, attribute) if attribute else None,
            strict_integers=labels is not None,
            notes=(f"{inside:,} images that lay inside the Arrow files were written to {home}.",) if inside else (),
        )


def _is_dataset(path: Path) -> bool:
    return (path / "state.json").is_file() and any(path.glob("*.arrow"))


def _parts(path: Path) -> dict[str, Path]:
    """Split -> its folder."""
    if _is_dataset(path):
        return {"": path}
    try:
        names = read_json(path / "dataset_dict.json")["splits"]
    except (KeyError, TypeError) as error:
        raise FormatRefusedError(
            "unreadable-metadata", f"{path}/dataset_dict.json lists no splits ({error}): save the data set again."
        ) from error
    missing = [name for name in names if Path(str(name)).name != name or not _is_dataset(path / name)]
    if missing or not names:
        raise FormatRefusedError(
            "missing-metadata", f"{path} lacks the Arrow files of {missing or 'any split'}: save the data set again."
        )
    return {name: path / name for name in names}


def _features(part: Path) -> dict[str, Any]:
    try:
        features = read_json(part / "dataset_info.json")["features"]
    except (KeyError, TypeError) as error:
        raise FormatRefusedError(
            "unreadable-metadata", f"{part}/dataset_info.json names no features ({error}): save the data set again."
        ) from error
    return dict(features)


def _columns(features: Mapping[str, Any], options: Mapping[str, str], path: Path) -> dict[str, str]:
    """Role -> column: as named, else the first image and the first class label."""
    kinds = {"image": "Image", "label": "ClassLabel"}
    found = {
        role: options.get(role) or next((name for name, one in features.items() if _kind(one) == kind), "")
        for role, kind in kinds.items()
    }
    found["label"] = found["label"] or ("label" if "label" in features else "")
    if options.get("attribute"):
        found["attribute"] = options["attribute"]
    absent = [role for role, name in found.items() if name not in features]
    if absent:
        raise FormatRefusedError(
            "missing-column",
            f"{path.name} has no column for the {absent[0]} among {', '.join(features)}: "
            f"name it with {absent[0]}=COLUMN.",
        )
    return found


def _kind(feature: object) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _names(features: Mapping[str, Any], column: str) -> tuple[str, ...] | None:
    feature = features[column]
    return tuple(map(str, feature["names"])) if _kind(feature) == "ClassLabel" else None


def _rows(part: Path, split: str, columns: Mapping[str, str], home: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    for file in sorted(part.glob("*.arrow")):
        try:
            with pa.memory_map(str(own(file))) as source, pa.ipc.open_stream(source) as reader:
                for batch in reader:
                    for record in batch.select(list(columns.values())).to_pylist():
                        yield _row(record, split, columns, part, home)
        except pa.ArrowInvalid as error:
            raise FormatRefusedError(
                "unreadable-metadata", f"{file} is not a readable Arrow file ({error}): save the data set again."
            ) from error


def _row(record: Mapping[str, Any], split: str, columns: Mapping[str, str], part: Path, home: Path) -> dict[str, Any]:
    image = record[columns["image"]] or {}
    image = {"path": image} if isinstance(image, str) else image
    content = image.get("bytes")
    path = str(_written(content, home)) if content else str(part / (image.get("path") or ""))
    attribute = record[columns["attribute"]] if "attribute" in columns else ""
    return {"path": path, "split": split, "label": record[columns["label"]], "attribute": attribute}


def _written(content: bytes, home: Path) -> Path:
    """The file of this content, written where it is not there yet."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    path = home / digest[:2] / f"{digest}{SUFFIXES.get(content[:2], '.png')}"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_bytes(content)
        draft.replace(path)
    return path
