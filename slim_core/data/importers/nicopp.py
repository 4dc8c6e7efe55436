"""NICO++: ``<context>/<label>/*.jpg``; the context is the spurious attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import at_depth, left_out, list_images, names_of, numbered, subfolders

CONTEXTS = {"autumn", "dim", "grass", "outdoor", "rock", "water"}  # of the public part
SHAPE = "CONTEXT/LABEL/IMAGE"


class NicoPlusPlus:
    """Contexts are folders with a folder for each class; the splits are made."""

    name = "nico++"
    about = "<context>/<label>/*.jpg (NICO++); the splits are made"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """Two or more of the published contexts are folders here, with folders of classes in them."""
        found = sorted(name for name in CONTEXTS & set(subfolders(path)) if subfolders(path / name))
        return f"the contexts {', '.join(found)} are folders" if len(found) > 1 else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:  # noqa: ARG002  # this form has no options
        """The raw table."""
        listed = list_images(path)
        rows = at_depth(listed, 2, path, SHAPE)
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=None,
            labels=numbered(rows[1]),
            attributes=numbered(rows[0]),
            label_names=names_of(rows[1]),
            attribute_name="context",
            attribute_names=names_of(rows[0]),
            strict_integers=False,
            notes=left_out(len(listed) - len(rows), SHAPE),
        )
