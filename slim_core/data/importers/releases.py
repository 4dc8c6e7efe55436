"""Published data sets that are known by their tables, or by the names of their folders.

A new one is an entry of IN_TABLES or IN_FOLDERS: how it is recognised, and where its class, attribute and split are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from slim_core.data.draft import BOTH, Draft, texts
from slim_core.data.importers.csv_table import NO_COLUMN, CsvTable, tables_in
from slim_core.data.importers.folders import (
    image_names,
    left_out,
    list_images,
    names_of,
    numbered,
    subfolders,
)
from slim_core.data.importers.waterbirds_celeba import METADATA, folder_of
from slim_core.data.report import FormatRefusedError
from slim_core.data.tables import csv_files, header_of, read_head
from slim_core.formatting import counted, first_few, is_or_are

Options = Mapping[str, str]


@dataclass(frozen=True)
class InTable:
    """A release with a table, which is read as any table is once its columns are known."""

    is_known: Callable[[Path, set[str]], bool]  # by the table, and by its columns
    path: tuple[str, ...]  # the columns it may be in, the first that is there is taken
    label: tuple[str, ...]
    attribute: tuple[str, ...]
    needs_attribute: bool = True
    split: tuple[str, ...] = ("split",)  # (): it may have one, by any usual name
    any_name: bool = False  # of the table; False: it is metadata.csv
    attribute_name: str | None = None  # where it is not called as its column
    adjusted: Callable[[Draft], Draft] = lambda draft: draft

    def found(self, path: Path) -> Path | None:
        """The table that looks like one of this release, in a folder or named itself."""
        tables = csv_files(path) if self.any_name else [folder_of(path, METADATA) / METADATA]
        return next((one for one in tables if self.is_known(one, set(header_of(one)))), None)

    def asked(self, path: Path, options: Options) -> Path | None:
        """The table to read, once somebody has said of what form it is."""
        if options.get("file"):
            return path / Path(options["file"]).name
        usual = folder_of(path, METADATA) / METADATA
        return usual if not self.any_name and usual.is_file() else self.found(path)

    def read(self, table: Path, options: Options) -> Draft:
        """The raw table."""
        header = read_head(table, 1).columns
        roles = {"path": self.path, "label": self.label, "split": self.split, "attribute": self.attribute}
        columns = {role: next((n for n in names if n in header), names[0]) for role, names in roles.items() if names}
        if columns["attribute"] not in header and not self.needs_attribute:
            columns["attribute"] = NO_COLUMN
        draft = CsvTable().read(table, {**columns, **{key: options[key] for key in columns if options.get(key)}})
        return self.adjusted(replace(draft, attribute_name=self.attribute_name or draft.attribute_name))


@dataclass(frozen=True)
class InFolders:
    """A release without a table: the path of an image says what it shows."""

    shape: str  # how images lie, for messages
    path: re.Pattern[str]  # of an image; its groups are label, attribute and, where there is one, split and unit
    folders: tuple[tuple[str, ...], ...] = ()  # patterns of their names, level by level; none: the names of files tell
    at_least: int = 1  # folders of the first level that are so
    attribute_name: str = "context"
    splits: Callable[[pd.DataFrame, Options], pd.Series | None] = lambda _rows, _options: None  # "": left out
    note: str | None = None  # on splits that are there

    def reason(self, path: Path) -> str | None:
        """What is there that says so."""
        if not self.folders:
            named = [] if path.is_file() or _is_described(path) else image_names(path)
            told = len(named) > 1 and all(map(self.path.match, named))
            return f"its files are named {self.shape}" if told else None
        for levels in self.folders:
            found = _matching(path, levels)
            if len({one.split("/")[0] for one in found}) >= self.at_least:
                return f"it holds folders such as {found[0]}"
        return None

    def read(self, path: Path, options: Options) -> Draft:
        """The raw table."""
        listed = list_images(path)
        told = listed["path"].str.extract(self.path)
        lying = pd.concat([listed["path"], told], axis=1)[told["label"].notna()]
        if not len(lying):
            raise FormatRefusedError(
                "no-images", f"{path} holds no images as {self.shape}: arrange them so, or name the format."
            )
        splits = self.splits(lying, options)
        note = (self.note,) if self.note and splits is not None else ()
        kept = lying if splits is None else lying[splits != ""]
        rows, unit = kept.reset_index(drop=True), "unit" in lying and splits is None
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=None if splits is None else splits[splits != ""].reset_index(drop=True),
            labels=numbered(rows["label"]),
            attributes=numbered(rows["attribute"]),
            units=rows["unit"].fillna("") if unit else None,
            label_names=names_of(rows["label"]),
            attribute_name=self.attribute_name,
            attribute_names=names_of(rows["attribute"]),
            may_be_names=BOTH,
            notes=(
                *left_out(len(listed) - len(lying), self.shape),
                *note,
            ),
        )


@dataclass
class Release:
    """One published data set, or several of one form."""

    name: str
    about: str
    options: tuple[str, ...] = ()
    table: InTable | None = None
    folders: InFolders | None = None

    def matches(self, path: Path) -> str | None:
        """Its table or its folders are there."""
        found = self.table.found(path) if self.table else None
        if found is not None:
            return f"{found.name} has the columns of {self.name}"
        return self.folders.reason(path) if self.folders else None

    def read(self, path: Path, options: Options) -> Draft:
        """The raw table."""
        found = self.table.asked(path, options) if self.table else None
        if self.table and found is not None:
            return self.table.read(found, options)
        if self.folders and path.is_dir():
            return self.folders.read(path, options)
        raise FormatRefusedError(
            "missing-metadata", f"{path} holds no table of {self.name}: read are {self.about}; or name another format."
        )


def _matching(path: Path, levels: Iterable[str]) -> list[str]:
    """Folders below, as seen from there, whose names fit the patterns level by level."""
    found = [""]
    for level in levels:
        found = [f"{above}{name}/" for above in found for name in subfolders(path / above) if re.fullmatch(level, name)]
    return [one.rstrip("/") for one in found]


def _is_described(folder: Path) -> bool:
    """Whether a table or a JSON file lies beside the images: names such as IMG_2023_0012.jpg are common."""
    return any(table.suffix != ".txt" for table in tables_in(folder)) or any(folder.glob("*.json"))


# WILDS: the out-of-distribution splits are val and test; what is set apart within the distribution is left out.

NOT_OF_WILDS = ("id_val", "id_test", "unlabeled", "extra_unlabeled", "none", "")
PATHS_OF_WILDS = ("filename", "path", "img_filename", "image_path")


def _is_wilds(table: Path, header: set[str]) -> bool:
    return "y" in header and bool(header & set(PATHS_OF_WILDS)) and any(table.parent.glob("RELEASE_v*.txt"))


def _out_of_distribution(draft: Draft) -> Draft:
    assert draft.splits is not None
    splits = texts(draft.splits)
    kept = ~splits.str.lower().isin(NOT_OF_WILDS)
    if not kept.any():
        there = first_few(sorted(set(splits)))
        raise FormatRefusedError("splits", f"{draft.source} has no row in train, val or test: its splits are {there}.")
    rows = f"{counted(n, 'row')} of {draft.source} {is_or_are(n)}" if (n := int((~kept).sum())) else ""
    columns = ("paths", "splits", "labels", "attributes", "units")
    found = {name: cells[kept] for name in columns if (cells := getattr(draft, name)) is not None}
    notes = (*draft.notes, f"{rows} in neither train, val nor test, and left out.") if n else draft.notes
    return replace(draft, **found, boxes=None, masks=None, notes=notes)


# ISIC: a column of colour patches (no malignant image has one), or the artefacts of Bissoto et al. 2020.

ARTEFACTS = ("patches", "patch", "hair", "dark_corner", "gel_border", "gel_bubble", "ruler", "ink")
IDS_OF_ISIC = ("image", "isic_id", "image_id", "image_name")
LABELS_OF_ISIC = ("label", "benign_malignant", "target", "malignant")
BENIGN = {"0": "0", "0.0": "0", "benign": "0", "1": "1", "1.0": "1", "malignant": "1"}


def _is_isic(_table: Path, header: set[str]) -> bool:
    return all(header & set(names) for names in (ARTEFACTS, IDS_OF_ISIC, LABELS_OF_ISIC))


def _benign_or_malignant(draft: Draft) -> Draft:
    cells = texts(draft.labels).str.lower().map(lambda word: BENIGN.get(word, word))
    assert draft.attributes is not None
    return replace(
        draft,
        labels=cells,
        attributes=texts(draft.attributes).str.replace(r"\.0$", "", regex=True),
        label_names=("benign", "malignant"),
        attribute_names=(f"no {draft.attribute_name}", str(draft.attribute_name)),
        may_be_names=frozenset(),
    )


# ImageNet-9: train is original/train, val original/val, and val of the other backgrounds test. The archive of the
# challenge has no train: splits are made, with all variants of a picture in one.

VARIANTS = "original|mixed_same|mixed_rand|mixed_next|only_fg|no_fg|only_bg_b|only_bg_t|fg_mask"


def _of_variants(rows: pd.DataFrame, options: Options) -> pd.Series | None:
    variant, is_val = rows["attribute"], rows["part"] == "val"
    is_train = (variant == (options.get("train") or "original")) & ~is_val
    words = np.select([is_train, is_val & (variant == "original"), is_val], ["train", "val", "test"], "")
    return pd.Series(words, rows.index) if is_train.any() else None


# Spawrious

PLACES, BREEDS = "beach|desert|dirt|jungle|mountain|snow", "bulldog|corgi|dachshund|labrador"
NO_CHALLENGE = (
    "Folder 0 is read as train and folder 1 as test, each as a whole. A challenge of Spawrious is some places of each "
    "breed, for training and for test, from either folder: to have one, name its images in a table."
)


def _of_halves(rows: pd.DataFrame, _options: Options) -> pd.Series | None:
    return rows["split"].map({"0": "train", "1": "test"}).fillna("") if rows["split"].notna().any() else None


NICO = Release(
    name="nico",
    about="metadata.csv with y, label_name, context, context_name, or files <label>_<context>_<index>.jpg (NICO)",
    table=InTable(
        is_known=lambda _table, header: {"label_name", "context_name"} <= header,
        path=("img_filename",),
        label=("label_name",),
        attribute=("context_name",),
        attribute_name="context",
    ),
    folders=InFolders(  # "dog_on grass_0012.jpg"
        shape="<label>_<context>_<index>.jpg",
        path=re.compile(r"^(?P<label>[^_/]+)_(?P<attribute>[^/]+)_\d+\.\w+$"),
    ),
)
IN_TABLES = (
    Release(
        name="wilds",
        about="RELEASE_v*.txt beside metadata.csv with filename, y, split and a domain (WILDS)",
        options=("attribute",),
        table=InTable(
            is_known=_is_wilds,
            path=PATHS_OF_WILDS,
            label=("y",),
            attribute=("location_remapped", "location", "region", "domain", "country", "a"),
            needs_attribute=False,
            adjusted=_out_of_distribution,
        ),
    ),
    Release(
        name="isic",
        about="a CSV with image (or isic_id), label and artefacts: patches, hair, ruler, ...; option attribute=hair",
        options=("attribute", "file"),
        table=InTable(
            is_known=_is_isic,
            path=IDS_OF_ISIC,
            label=LABELS_OF_ISIC,
            attribute=ARTEFACTS,
            split=(),
            any_name=True,
            adjusted=_benign_or_malignant,
        ),
    ),
)
IN_FOLDERS = (
    Release(
        name="metashift",
        about="{train,test}/{class}/{class}({context})/*.jpg (MetaShift)",
        folders=InFolders(
            shape="SPLIT/CLASS/CLASS(CONTEXT)/IMAGE",
            path=re.compile(r"^(?P<split>[^/]+)/(?P<label>[^/]+)/[^/]+\((?P<attribute>[^/]+)\)/[^/]+$"),
            folders=(("train", ".+", r".+\(.+\)"),),
            splits=lambda rows, _options: rows["split"],
        ),
    ),
    Release(
        name="imagenet-9",
        about="<variant>/{train,val}/00_dog/*.JPEG (ImageNet-9); option train=VARIANT",
        options=("train",),
        folders=InFolders(
            shape="VARIANT/val/00_CLASS/IMAGE",
            # n02085620_16757.JPEG is varied as fg_n02085620_16757_bg_n01532829_06835.JPEG
            path=re.compile(
                rf"^(?P<attribute>{VARIANTS})/(?P<part>[^/]+)/(?P<label>\d\d_[^/]+)/(?:[^/]*?(?P<unit>n\d+_\d+))?[^/]*$"
            ),
            folders=((VARIANTS, "val|train", r"\d\d_.+"),),
            attribute_name="background",
            splits=_of_variants,
        ),
    ),
    Release(
        name="spawrious",
        about="<location>/<breed>/*.png (Spawrious), in the release's folders 0 and 1 or without them",
        folders=InFolders(
            shape="LOCATION/BREED/IMAGE",
            path=re.compile(r"^(?:(?P<split>[01])/)?(?P<attribute>[^/]+)/(?P<label>[^/]+)/[^/]+$"),
            folders=((PLACES, BREEDS), ("[01]", PLACES, BREEDS)),
            attribute_name="location",
            splits=_of_halves,
            note=NO_CHALLENGE,
        ),
    ),
    Release(
        name="nico++",
        about="<context>/<label>/*.jpg (NICO++); the splits are made",
        folders=InFolders(
            shape="CONTEXT/LABEL/IMAGE",
            path=re.compile(r"^(?P<attribute>[^/]+)/(?P<label>[^/]+)/[^/]+$"),
            folders=(("autumn|dim|grass|outdoor|rock|water", ".+"),),
            at_least=2,
        ),
    ),
)
