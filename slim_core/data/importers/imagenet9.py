"""ImageNet-9 (the backgrounds challenge): ``<variant>/{train,val}/00_dog/*.JPEG``; the background is the attribute.

Train is ``original/train``, or what the option ``train`` names; val is ``original/val``; the variants of val with the
background exchanged (mixed_same, mixed_rand, mixed_next, only_fg, ...) are test, each an attribute value of its own.
Where there is no train, as in the archive of the challenge, splits are made, with all variants of a picture in one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import at_depth, left_out, list_images, names_of, subfolders

ORIGINAL = "original"
VARIANTS = (
    "original",
    "mixed_same",
    "mixed_rand",
    "mixed_next",
    "only_fg",
    "no_fg",
    "only_bg_b",
    "only_bg_t",
    "fg_mask",
)
SHAPE = "VARIANT/val/00_CLASS/IMAGE"
_CLASS = re.compile(r"^\d\d_.+$")  # "00_dog", "02_wheeled vehicle"
_PICTURE = r"(n\d+_\d+)[^/]*$"  # n02085620_16757.JPEG is varied as fg_n02085620_16757_bg_n01532829_06835.JPEG


class ImageNet9:
    """Nine classes; the class's number is in its folder's name."""

    name = "imagenet-9"
    about = "<variant>/{train,val}/00_dog/*.JPEG (ImageNet-9); option train=VARIANT"
    options: tuple[str, ...] = ("train",)

    def matches(self, path: Path) -> str | None:
        """A known variant with folders such as val/00_dog."""
        for variant in (name for name in VARIANTS if name in subfolders(path)):
            for part in ("val", "train"):
                if any(_CLASS.match(name) for name in subfolders(path / variant / part)):
                    return f"{variant}/{part} holds folders such as 00_dog"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        listed = list_images(path)
        rows = at_depth(listed, 3, path, SHAPE)
        rows = rows[rows[0].isin(VARIANTS) & rows[2].str.match(_CLASS)]
        elsewhere = len(listed) - len(rows)  # without the train of variants that are not learnt from
        source = options.get("train") or ORIGINAL
        splits = pd.Series("", rows.index)
        splits[(rows[0] == source) & (rows[1] == "train")] = "train"
        splits[rows[1] == "val"] = "test"
        splits[(rows[0] == ORIGINAL) & (rows[1] == "val")] = "val"
        rows, splits = rows[splits != ""].reset_index(drop=True), splits[splits != ""].reset_index(drop=True)
        has_train = (splits == "train").any()
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=splits if has_train else None,
            labels=rows[2],
            attributes=rows[0],
            units=None if has_train else rows["path"].str.extract(_PICTURE, expand=False).fillna("").rename("picture"),
            label_names=names_of(rows[2]),
            attribute_name="background",
            attribute_names=names_of(rows[0]),
            strict_integers=False,
            notes=left_out(elsewhere, SHAPE),
        )
