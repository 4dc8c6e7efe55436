"""Import: find the form of a data set, read it, check it, and say in one report what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slim_core.data.checks import build_table
from slim_core.data.draft import Importer
from slim_core.data.files import Progress, check_files
from slim_core.data.importers.celeba import CelebA
from slim_core.data.importers.csv_table import CsvTable
from slim_core.data.importers.demo import Demo
from slim_core.data.importers.waterbirds import Waterbirds
from slim_core.data.report import Findings, FormatRefusedError, Imported, ImportReport, describe
from slim_core.data.table import ImageTable
from slim_core.settings import Settings
from slim_core.settings import settings as current_settings

# In the order in which they are tried: the most telling form first.
FORMATS: dict[str, Importer] = {importer.name: importer for importer in (Demo(), CelebA(), Waterbirds(), CsvTable())}
FOLDER_OPTIONS = {"cub"}  # options that name a folder, which the allowed roots hold for too


def import_data(
    path: Path | str,
    *,
    format: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a folder (or a metadata file) as a data set; images stay where they are.

    Args:
        path: inside an allowed root.
        format: a key of FORMATS; found out where not given.
        name: of the data set; the folder's where not given.
        options: of the format (its ``options``), such as column names.
        settings: the roots and limits; this process's where not given.
        progress: called with (done, total, phase).

    Returns:
        The table, None where it was refused, and the report. What is wrong with the data is in the report.

    Raises:
        PathRefusedError: the path, or a folder named by an option, lies outside the allowed roots.
    """
    limits = settings or current_settings()
    folder = limits.allowed(path)
    for key in FOLDER_OPTIONS & set(options or {}):
        limits.allowed((options or {})[key])
    named = name or (folder.stem if folder.is_file() else folder.name)
    findings = Findings()
    table, checked, form = None, "", format or "unknown"
    metadata: tuple[str, ...] = ()
    try:
        importer = _importer(folder, format)
        form = importer.name
        _check_options(importer, options or {})
        draft = importer.read(folder, options or {})
        metadata = tuple(map(str, draft.metadata))
        table = build_table(draft, named, limits, findings)
    except FormatRefusedError as error:
        findings.error(error.code, str(error))
    if table is not None:
        table, checked = check_files(table, limits, findings, progress)
    return _imported(form, named, folder, table, findings, checked, metadata)


def _imported(
    form: str,
    name: str,
    folder: Path,
    table: ImageTable | None,
    findings: Findings,
    checked: str,
    metadata: tuple[str, ...],
) -> Imported:
    found = tuple(findings.items)
    if table is None:
        return Imported(None, ImportReport(form, name, str(folder), found))
    splits, groups = describe(table)
    n_masks = int(table.has_mask.sum())
    report = ImportReport(form, name, str(folder), found, len(table), splits, groups, n_masks, checked, metadata)
    return Imported(None if findings.refused else table, report)


def _importer(path: Path, format: str | None) -> Importer:
    if not path.exists():
        raise FormatRefusedError("missing-folder", f"{path} does not exist: name the folder of a data set.")
    if format is not None:
        if format not in FORMATS:
            raise FormatRefusedError("format", f"{format!r} is no format: use one of {', '.join(FORMATS)}.")
        return FORMATS[format]
    for importer in FORMATS.values():
        if importer.matches(path):
            return importer
    raise FormatRefusedError(
        "no-metadata",
        f"{path} holds no metadata: put a metadata.csv with the columns path, split and label there "
        f"(or Waterbirds' or CelebA's own files).",
    )


def _check_options(importer: Importer, options: Mapping[str, str]) -> None:
    unknown = [key for key in options if key not in importer.options]
    if unknown:
        known = ", ".join(importer.options) or "none"
        raise FormatRefusedError(
            "options", f"The format {importer.name} has no option {unknown[0]!r}: its options are {known}."
        )
