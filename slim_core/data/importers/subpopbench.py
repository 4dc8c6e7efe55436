"""The form of SubpopBench: a CSV ``metadata_*.csv`` with exactly id, filename, split, y and a."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slim_core.data.draft import Draft, need_columns, texts
from slim_core.data.files.metadata.tables import csv_files, header_of, is_parquet, read_table
from slim_core.data.importers.folders import found_in
from slim_core.data.report import FormatRefusedError

COLUMNS = ("id", "filename", "split", "y", "a")


class SubpopBench:
    """Labels y and attributes a as whole numbers; paths relative to the table, or to the option ``root``."""

    name = "subpopbench"
    about = "a CSV with id, filename, split, y, a (SubpopBench); option root=FOLDER of the images"
    options: tuple[str, ...] = ("root", "file")

    def matches(self, path: Path) -> str | None:
        """A table with these columns."""
        found = _find(path)
        return f"{found.name} has the columns {', '.join(COLUMNS)}" if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        source = path / Path(options["file"]).name if options.get("file") else _find(path)
        if source is None:
            raise FormatRefusedError(
                "no-metadata", f"{path} holds no CSV with {', '.join(COLUMNS)}: name it with the option file=NAME."
            )
        frame = read_table(source)
        need_columns(frame, COLUMNS[1:], source.name)
        paths = texts(frame["filename"])
        return Draft(
            source=source.name,
            metadata=(source,),
            root=_root(source.parent, paths.iloc[0], options),
            paths=paths,
            splits=frame["split"],
            labels=frame["y"],
            attributes=frame["a"],
            attribute_name="a",
            lines=not is_parquet(source),
        )


def _root(folder: Path, first: str, options: Mapping[str, str]) -> Path:
    """Where the images lie: as named, beside the table, or in a folder there (``img_align_celeba``)."""
    if options.get("root"):
        return Path(options["root"]).expanduser().resolve()
    return folder / found_in(folder, first)


def _find(path: Path) -> Path | None:
    return next((table for table in csv_files(path) if set(COLUMNS) == set(header_of(table))), None)
