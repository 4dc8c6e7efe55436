"""Import: find the form of a data set, read it, check it, and say in one report what was found."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pandas as pd

from slim_core.data import Thoroughness, unpacking
from slim_core.data.bounds import noted
from slim_core.data.checks.build import build_table
from slim_core.data.checks.counts import check_table
from slim_core.data.checks.files import Prober, causes_of, check_files, without
from slim_core.data.draft import Draft, Importer
from slim_core.data.images.codec import stand_in_refusal
from slim_core.data.importers.coco import Coco
from slim_core.data.importers.csv_table import CsvTable, tables_in
from slim_core.data.importers.folders import (
    IMAGE_SUFFIXES,
    ImageFolder,
    has_images,
    holds_images,
    innermost,
    subfolders,
    unread_images,
)
from slim_core.data.importers.huggingface import HuggingFace, HuggingFaceImages
from slim_core.data.importers.releases import IN_FOLDERS, IN_TABLES, NICO
from slim_core.data.importers.waterbirds_celeba import CelebA, Demo, Waterbirds
from slim_core.data.outlines import write_masks
from slim_core.data.report import Findings, FormatRefusedError, Imported, ImportReport, Progress, describe
from slim_core.data.table import ImageTable
from slim_core.data.unpacking import IMPORTED, refusal_of
from slim_core.errors import quoted
from slim_core.formatting import counted, first_few
from slim_core.settings import Settings
from slim_core.settings import settings as current_settings

# In the order in which they are tried: the most telling form first.
_IMPORTERS: tuple[Importer, ...] = (
    Demo(),
    CelebA(),
    NICO,
    Waterbirds(),
    *IN_TABLES,
    HuggingFace(),
    HuggingFaceImages(),
    Coco(),
    *IN_FOLDERS,
    CsvTable(),
    ImageFolder(),
)
FORMATS: dict[str, Importer] = {importer.name: importer for importer in _IMPORTERS}
MOST_DIGITS = 18  # of a seed: any longer number is a slip
SEED = "seed"  # the option of every format: that of the splits, where they have to be made
# (root, name, seed) -> path -> split, of what was registered from there under the name: made splits are dealt out once
SplitsBefore = Callable[[Path, str, int], Mapping[str, str]]
WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")
FOLDER_OPTIONS = {"cub"}  # options that name a folder, which the allowed roots hold for too


@dataclass(frozen=True)
class ToImport:
    """What to import, and how: the same for the check and for the registering after it. As of ``import_data``."""

    path: Path | str
    format: str | None = None
    name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    files: Thoroughness = "sample"
    leave_out: Collection[str] = ()


def import_data(
    path: Path | str,
    *,
    format: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    leave_out: Collection[str] = (),
    files: Thoroughness = "sample",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a folder (or a metadata file) as a data set; images stay where they are.

    Args:
        path: inside an allowed root.
        format: a key of FORMATS; found out where not given.
        name: of the data set; the folder's where not given.
        options: of the format (its ``options``), such as column names.
        leave_out: causes (keys of CAUSES) for which images are left out instead of refusing the data.
        files: how many image files are read: the headers of all and the pixels of a sample, of all, or none.
        settings: the roots and limits; this process's where not given. No root of another than this process's is added:
            a file is opened only inside its SLIM_DATA_ROOTS, whoever asks.
        progress: called with (done, total, phase).

    Returns:
        The table, None where it was refused, and the report. What is wrong with the data is in the report.

    Raises:
        PathRefusedError: the path, or a folder named by an option, lies outside the allowed roots.
    """
    asked = ToImport(path, format, name, options or {}, files, leave_out)
    return import_asked(asked, settings=settings, progress=progress)


def import_asked(
    asked: ToImport,
    *,
    splits_before: SplitsBefore | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Imported:
    """As ``import_data``, of what may be a later version of a data set.

    ``splits_before``: where splits are made, images that have one there keep it, and the others are dealt out.
    """
    limits, options = settings or current_settings(), asked.options
    path = limits.allowed(asked.path)
    folder = data_folder(path, asked.format)
    for key in FOLDER_OPTIONS & set(options):
        limits.allowed(options[key])
    named = asked.name or (folder.stem if folder.is_file() else folder.name)
    findings = Findings()
    if folder != path:
        findings.note("inner-folder", f"{path} is not a data set: its folder {folder.relative_to(path)} is read.")
    report = ImportReport(asked.format or "unknown", named, str(folder), (), options=dict(options))
    with noted() as looked_at:
        try:
            causes = causes_of(asked.leave_out)
            importer, reason = find_importer(folder, asked.format)
            report = replace(report, format=importer.name, reason=reason)
            draft = importer.read(folder, _check_options(importer, options))
            draft = _drawn(_unpacked(draft, limits, options, progress), limits)
            seed = _seed(options)
            before = partial(splits_before, draft.root, named, seed) if splits_before else dict
            table = build_table(draft, named, limits, findings, seed=seed, before=before)
            if table is not None:
                prober = Prober(limits, progress)
                return _checked(report, table, draft, prober, findings, causes, asked.files)
        except FormatRefusedError as error:
            findings.error(error.code, str(error))
        except OSError as error:  # a name of 5,000 letters, a folder that this user may not open
            where = str(error.filename or folder)[:200]
            findings.error("unreadable", f"{where} cannot be read ({error.strerror}): make it readable, or rename it.")
    return Imported(None, replace(report, findings=tuple(findings.items)), looked_at=tuple(looked_at))


def _checked(
    report: ImportReport,
    table: ImageTable,
    draft: Draft,
    prober: Prober,
    findings: Findings,
    causes: Collection[str],
    files: Thoroughness,
) -> Imported:
    """The table with its files read, and without what is left out."""
    checked = check_files(table, prober, findings, files)
    table, left_out = without(checked, causes, findings)
    check_table(table, draft.expected, findings)
    splits, groups = describe(table)
    found = replace(
        report,
        findings=tuple(findings.items),
        n_images=len(table),
        splits=splits,
        groups=groups,
        n_masks=int(table.has_mask.sum()),
        checked=checked.how,
        metadata=tuple(map(str, draft.metadata)),
        root=str(table.root),
        left_out=left_out,
        model=draft.model,
    )
    return Imported(table if found.ok else None, found, table)


def data_folder(path: Path, format: str | None = None) -> Path:
    """The folder itself, or where only that is of a known form the one that is all it holds, as archives unpack, or its
    ``images``, as CUB has it.
    """
    formats = FORMATS.values() if format not in FORMATS else (FORMATS[format],)
    others = [inner for inner in (innermost(path), path / "images") if inner != path and os.path.isdir(inner)]
    if not others or any(one.matches(path) for one in formats):
        return path
    return next((inner for inner in others if any(one.matches(inner) for one in formats)), path)


def find_importer(path: Path, format: str | None = None) -> tuple[Importer, str]:
    """The importer, and why it is that one.

    Raises:
        FormatRefusedError: there is no such folder or format, or the folder is of no form that is known.
    """
    if not path.exists():
        raise FormatRefusedError("missing-folder", f"{path} does not exist: name the folder of a data set.")
    if format is not None:
        if format not in FORMATS:
            raise FormatRefusedError("format", f"There is no format {format!r}: use one of {', '.join(FORMATS)}.")
        return FORMATS[format], "with the format or columns you chose"
    if path.is_file() and (refusal := refusal_of(path)):
        raise FormatRefusedError("archive", refusal)
    if path.is_file() and (refusal := stand_in_refusal(path, "a data set")):
        raise FormatRefusedError("web-page", refusal)
    for importer in FORMATS.values():
        if reason := importer.matches(path):
            return importer, reason
    raise FormatRefusedError("no-metadata", f"{path} {_unknown(path)}")


def _unknown(path: Path) -> str:
    """What is there instead of a data set, and what to do about it; the rest of the sentence after the path."""
    if path.is_file():
        if path.name.lower().endswith(IMAGE_SUFFIXES):
            return "is an image: name its folder, or a table of images."
        if path.suffix.lower() in WORKBOOKS:
            return "is a workbook, not a table: save its sheet as CSV in UTF-8, and name that file."
        return "is neither a folder nor a table: name a folder of images, or a CSV, TSV or Parquet file."
    if not any(path.iterdir()):
        return "is empty: put images into a folder for each class there."
    tables = [one.name for one in tables_in(path) if not one.name.lower().endswith(".txt")]
    if len(tables) > 1:
        return (
            f"holds several tables ({first_few(tables)}): name the one you mean instead of the folder, or put the rows "
            "of all into one with a column split."
        )
    links = [one.name for one in path.iterdir() if one.is_symlink() and one.is_dir()]
    if not holds_images(path):
        if any(path.glob("*.arrow")) or any(path.glob("*/*.arrow")):
            return "holds Arrow files of datasets: write Parquet from them (to_parquet), and name its folder."
        if links:
            return "holds links to folders, which are not followed: name a folder that holds the images themselves."
        if unread := unread_images(path):
            return f"holds {unread}."
        return "holds no image in its folders: put images into a folder for each class, or name another folder."
    folders = subfolders(path)
    if len(folders) == 1 and has_images(path / folders[0]):
        linked = f" (links are not followed: {first_few(links)})" if links else ""
        return f"holds the folder of a single class, {folders[0]}: put a folder for each other class beside it{linked}."
    return (
        "holds no known data set: put images into a folder for each class, or a CSV file with the columns path "
        f"and label there, or name the format ({', '.join(FORMATS)})."
    )


def _check_options(importer: Importer, options: Mapping[str, str]) -> Mapping[str, str]:
    """The options without those that every format has."""
    known_options = (*importer.options, SEED, unpacking.OPTION)
    unknown = [key for key in options if key not in known_options]
    if unknown:
        known = ", ".join(known_options)
        raise FormatRefusedError(
            "options", f"The format {importer.name} has no option {unknown[0]!r}: its options are {known}."
        )
    return {key: value for key, value in options.items() if key in importer.options}


def _unpacked(draft: Draft, limits: Settings, options: Mapping[str, str], progress: Progress | None) -> Draft:
    """With the images that lie inside its files written out, where that is allowed.

    Raises:
        FormatRefusedError: as ``packed.unpacked``.
    """
    wanted = options.get(unpacking.OPTION) or "no"
    if wanted not in (unpacking.YES, "no"):
        raise FormatRefusedError("options", f"The option {unpacking.OPTION} is {unpacking.YES} or no, not {wanted!r}.")
    if draft.packed is None:
        return draft
    paths, note = unpacking.unpacked(draft.packed, limits.home, allowed=wanted == unpacking.YES, progress=progress)
    return replace(draft, paths=pd.Series(paths, draft.paths.index), packed=None, notes=(*draft.notes, note))


def _drawn(draft: Draft, limits: Settings) -> Draft:
    """With the masks that its files outline drawn, where an image has the size that they are outlined in."""
    if draft.outlines is None:
        return draft
    folder = limits.home.resolve() / IMPORTED
    paths, n_refused = write_masks(draft.outlines, [draft.root / path for path in draft.paths], folder)
    notes = list(draft.notes)
    if any(paths):
        notes.append(f"{sum(map(bool, paths)):,} masks were drawn from segmentations, into {folder}.")
    if n_refused:
        those = f"The segmentations of {counted(n_refused, 'image')} cannot be drawn"
        notes.append(f"{those}, or are of another size than the image file; their boxes are used.")
    return replace(draft, masks=pd.Series(paths, draft.paths.index), notes=tuple(notes))


def _seed(options: Mapping[str, str]) -> int:
    given = options.get(SEED) or "0"
    if not given.isdecimal() or len(given) > MOST_DIGITS:
        raise FormatRefusedError(
            "options",
            f"The option {SEED} is a whole number from 0, of {MOST_DIGITS} digits at most, not {quoted(given)}.",
        )
    return int(given)
