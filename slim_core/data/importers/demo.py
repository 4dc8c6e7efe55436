"""The demo sets: Waterbirds' shape, with the names of classes and attribute values from the marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from slim_core.data.draft import Draft
from slim_core.data.importers.waterbirds import METADATA, Waterbirds, folder_of
from slim_core.data.report import FormatRefusedError
from slim_core.data.sets.demo_set import MARKER, demo_marker


class Demo(Waterbirds):
    """Reads what ``write_set`` wrote."""

    name = "demo"
    about = "a demo set, written by slim demo-data"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """The marker is there."""
        return f"{MARKER} marks a demo set" if demo_marker(_folder(path)) is not None else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = _folder(path)
        draft = super().read(folder, options)
        marker = demo_marker(folder) or {}
        try:
            found = _Names.model_validate(marker)
        except ValidationError as error:
            where = error.errors()[0]["loc"][0]
            raise FormatRefusedError(
                "marker", f"{MARKER} has {where} that no demo set has: write the set again, or take {MARKER} away."
            ) from error
        return replace(
            draft,
            label_names=found.label_names,
            attribute_name=found.attribute_name,
            attribute_names=found.attribute_names,
            notes=(),  # of names that Waterbirds has
        )


class _Names(BaseModel):
    """What the marker says of the classes and the attribute."""

    label_names: tuple[str, ...]
    attribute_name: str
    attribute_names: tuple[str, ...]


def _folder(path: Path) -> Path:
    return folder_of(path, METADATA, MARKER)
