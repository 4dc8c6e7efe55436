"""The demo sets: Waterbirds' shape, with the names of classes and attribute values from the marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slim_core.data.draft import Draft
from slim_core.data.importers.waterbirds import METADATA, Waterbirds, folder_of
from slim_core.data.sets.demo_set import MARKER, demo_marker
from slim_core.data.sets.digits import PHOTOGRAPHS


class Demo(Waterbirds):
    """Reads what ``write_set`` wrote."""

    name = "demo"
    about = "a demo set, written by slim demo-data"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """The marker is there."""
        return f"{MARKER} marks it as one" if demo_marker(_folder(path)) is not None else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = _folder(path)
        draft = super().read(folder, options)
        marker = demo_marker(folder) or {}
        labels = marker.get("label_names") or [str(digit) for digit in marker.get("classes", ())]
        return replace(
            draft,
            label_names=tuple(labels) or None,
            attribute_name=marker.get("attribute_name", "photograph"),
            attribute_names=tuple(marker.get("attribute_names", PHOTOGRAPHS)),
        )


def _folder(path: Path) -> Path:
    return folder_of(path, METADATA, MARKER)
