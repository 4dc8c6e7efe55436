"""MetaShift: ``{train,test}/{cat,dog}/{class}({context})/*.jpg``; the context in brackets misleads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import at_depth, left_out, list_images, names_of, numbered, subfolders

SHAPE = "SPLIT/CLASS/CLASS(CONTEXT)/IMAGE"
_NAMED = re.compile(r"^(?P<label>.+)\((?P<context>.+)\)$")  # "cat(sofa)"


class MetaShift:
    """Classes in contexts that differ between train and test."""

    name = "metashift"
    about = "{train,test}/{class}/{class}({context})/*.jpg (MetaShift)"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """A folder such as train/cat/cat(sofa)."""
        for label in subfolders(path / "train"):
            for name in subfolders(path / "train" / label):
                if _NAMED.match(name):
                    return f"train/{label}/{name} is a folder"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:  # noqa: ARG002  # this form has no options
        """The raw table."""
        listed = list_images(path)
        rows = at_depth(listed, 3, path, SHAPE)
        rows = rows[rows[2].str.match(_NAMED)].reset_index(drop=True)
        context: pd.Series = rows[2].str.extract(_NAMED)["context"]
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=rows[0],
            labels=numbered(rows[1]),
            attributes=numbered(context),
            label_names=names_of(rows[1]),
            attribute_name="context",
            attribute_names=names_of(context),
            strict_integers=False,
            notes=left_out(len(listed) - len(rows), SHAPE),
        )
