"""slim candidates, slim answer, slim answers, slim shapes: what people say of images, asked here, or as files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slim_core.cli.kit.bench import BY, plain_bench
from slim_core.cli.kit.console import (
    OfCampaign,
    OfDataSet,
    Seed,
    escaped,
    say,
    visible,
    warn,
    writable,
    writable_text,
    write_text,
)
from slim_core.cli.kit.tables import table
from slim_core.errors import AnswersRefusedError, SpecRefusedError, quoted
from slim_core.formatting import counted, percent
from slim_core.result_files import output_file

if TYPE_CHECKING:
    from slim_core.runs.executor import Workbench
    from slim_core.store import Campaign, Store

UNDO, STOP = "z", "q"
_OF_MASKS: dict[str, Any] = {"threshold": 0.5, "flip": 0.0, "unsure": 0.0, "seed": 0}
FileAction = Annotated[Literal["export", "import"], typer.Argument(help="export writes the file, import reads it.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("candidates", epilog="Example: slim candidates --share 0.02")(candidates)
    app.command("answer", epilog="Example: slim answer --from-masks")(answer)
    app.command("answers", epilog="Example: slim answers import answers.csv --annotator ann")(answers)
    app.command("shapes", epilog="Example: slim shapes export drawn.json --data birds")(shapes)


def candidates(
    space: Annotated[str | None, typer.Option(help="Space run of train; default: the newest.")] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of the images to ask about; default: 3 %, at least 5 of each class.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the campaign; default: one by its share and seed.")] = None,
    overlap: Annotated[int, typer.Option(help="Annotators per image.")] = 1,
    gold: Annotated[
        int,
        typer.Option(help="Gold images, whose correct answer is known: from the masks, or set on the Annotate page."),
    ] = 0,
    csv: Annotated[
        Path | None,
        typer.Option(callback=writable_text, help="Also write the images to this file, to answer them there."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Choose the few images to ask people about, and open a campaign."""
    from slim_core import api
    from slim_core.annotation.candidates import why_more
    from slim_core.annotation.plan import OF_OTHER_IMAGES
    from slim_core.annotation.simulated_annotator import can_simulate

    if name is not None and not name.strip():
        raise SpecRefusedError(f"The campaign's name is {quoted(name)}: give one, or leave --name out.")
    at = plain_bench()
    campaign = api.choose_candidates(space, share=share, seed=seed, name=name, overlap=overlap, gold=gold, at=at)
    data, asked = at.store.datasets.table(campaign.dataset_id), sum(campaign.budgets.values())
    rows = [[data.label_names[int(label)], f"{n:,}"] for label, n in campaign.budgets.items()]
    table(f"{campaign.name}: {asked:,} of {campaign.n_split:,} images", ["class", "images"], rows)
    if share is None and (why := why_more(asked, campaign.n_split)):
        say(why)
    _show_gold(at.store, campaign)
    if campaign.split in OF_OTHER_IMAGES:
        warn(f"This campaign is about {campaign.split} images. {OF_OTHER_IMAGES[campaign.split]}")
    if csv:
        _write_questions(at.store, campaign, csv)
    say(f"[bold green]campaign[/] [bold]{campaign.id}[/]")
    how = "--from-masks or --ask" if can_simulate(at.store, campaign.id) else "--ask"
    asking = f"slim answer --campaign {campaign.id}"
    say(f"next: [cyan]{asking}[/] {how}, or [cyan]slim answers import FILE[/]")


def answer(
    campaign: OfCampaign = None,
    from_masks: Annotated[
        bool, typer.Option("--from-masks", help="Let the simulated annotator answer, from the masks.")
    ] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask in this terminal, image by image.")] = False,
    threshold: Annotated[
        float, typer.Option(help="With --from-masks: attention precision that counts as right.")
    ] = _OF_MASKS["threshold"],
    flip: Annotated[float, typer.Option(help="With --from-masks: share of answers flipped.")] = _OF_MASKS["flip"],
    unsure: Annotated[float, typer.Option(help="With --from-masks: share of answers withheld (unsure).")] = _OF_MASKS[
        "unsure"
    ],
    seed: Seed = 0,
) -> None:
    """Answer a campaign, from the masks or in the terminal; `slim answers import` takes a file."""
    from slim_core import api

    if from_masks == ask:
        raise AnswersRefusedError(
            "Say where the answers come from: --from-masks, --ask, or `slim answers import FILE`."
        )
    how: dict[str, Any] = {"threshold": threshold, "flip": flip, "unsure": unsure, "seed": seed}
    unused = [f"--{option}" for option, value in how.items() if not from_masks and value != _OF_MASKS[option]]
    if unused:
        raise SpecRefusedError(f"{', '.join(unused)} is for answers taken from the masks: leave it out.")
    at = plain_bench()
    chosen = _chosen(at, campaign)
    if from_masks:
        api.answer_from_masks(chosen.id, at=at, **how)
        _show_unscored(at.store, chosen)
    else:
        _ask(at.store, chosen)
    _show_progress(at.store, chosen)


def _ask(store: Store, campaign: Campaign) -> None:
    from slim_core.annotation import terminal
    from slim_core.settings import settings

    items = terminal.unanswered(store, campaign, BY)
    labels = store.datasets.table(campaign.dataset_id).label_names
    folder = settings().home / "overlays" / campaign.id
    paths = terminal.draw_overlays(store, campaign, items, folder)
    say(f"The images with their attention are in {escaped(folder.resolve())}")
    number = 0
    while number < len(items):
        item, started = items[number], time.monotonic()
        named = "" if campaign.is_blind else f", class {labels[item.label]}"
        shown = escaped(f"{paths[item.row].name}{named}")
        say(f"{number + 1} of {len(items)}: {shown}")
        said = _asked(can_undo=number > 0)
        if said == STOP:
            return
        number += -1 if said == UNDO else 1
        duration_ms = round(1000 * (time.monotonic() - started))
        item, value = (items[number], None) if isinstance(said, str) else (item, said)
        terminal.save(store, campaign, BY, {item.row: value}, duration_ms=duration_ms)


def _asked(*, can_undo: bool) -> int | str:
    """What a person answers, UNDO of the answer before, or STOP; asked again after a slip."""
    from slim_core.store.campaigns.consensus import KEYS, WORDS, value_of

    question = ", ".join(f"{key} {WORDS[value]}" for value, key in KEYS.items()) + f", {UNDO} undo, {STOP} stop"
    while True:
        word = str(typer.prompt(question)).strip().lower()
        if word in (UNDO, STOP):
            if can_undo or word == STOP:
                return word
            warn("There is nothing to undo.")
            continue
        try:
            return value_of(word)
        except AnswersRefusedError:
            warn(f"{quoted(word)} is not one of these.")


def _show_progress(store: Store, campaign: Campaign) -> None:
    from slim_core.store.campaigns.campaigns import still_needed

    state = store.campaigns.progress(campaign.id)
    say(
        f"[bold green]campaign[/] [bold]{campaign.id}[/]  {state['answered']:,} of {state['total']:,} answered "
        f"({percent(state['share'])} of {campaign.split}): {state['right']:,} right, {state['wrong']:,} wrong "
        f"({state['empty']:,} called empty), {state['unsure']:,} unsure "
        f"({state['partly']:,} called partly)"
    )
    if needed := still_needed(campaign, state):
        say(needed, "yellow")
    if campaign.split == "train":  # of no other do answers choose a subset
        say(f"next: [cyan]slim curate --campaign {campaign.id}[/]")


def _show_unscored(store: Store, campaign: Campaign) -> None:
    """For how many images the masks give no answer."""
    from slim_core.annotation.simulated_annotator import n_unscored

    if n := n_unscored(store, campaign.id):
        asked = counted(len(store.campaigns.items(campaign.id)), "image")
        say(f"{n:,} of {asked} have no score against a mask: they are answered unsure.", "yellow")


def _show_gold(store: Store, campaign: Campaign) -> None:
    known = sum(item.gold is not None for item in store.campaigns.items(campaign.id))
    if missing := len(campaign.options["gold"]) - known:
        text = f"{missing} of {missing + known} gold images have no correct answer yet: set them on the Annotate page."
        say(text, "yellow")


def _write_questions(store: Store, campaign: Campaign, path: Path) -> None:
    import pandas as pd

    from slim_core.formatting import to_csv

    rows = [item.row for item in store.campaigns.items(campaign.id)]
    paths = store.datasets.table(campaign.dataset_id).frame["path"].iloc[rows]
    write_text(path, to_csv(pd.DataFrame({"row": rows, "path": paths.to_list(), "answer": ""})))


def answers(
    action: FileAction,
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, .jsonl or .parquet with row (or path) and answer.")
    ],
    campaign: OfCampaign = None,
    current: Annotated[
        bool, typer.Option("--current", help="export: only the answers that count now, which can be imported.")
    ] = False,
    annotator: Annotated[str, typer.Option(help="import: the annotator, if the file names none.")] = "file",
    leave_out: Annotated[
        bool, typer.Option("--leave-out-unfit", help="import: the valid lines, and skip the others.")
    ] = False,
) -> None:
    """The answers of a campaign as a file: every answer, change, undo, skip and decision; and back, all or none.

    The same file imported twice adds nothing.
    """
    path = writable(path) or path if action == "export" else path
    at = plain_bench()
    chosen = _chosen(at, campaign)
    if action == "export":
        _export(at.store, chosen, path, current)
    else:
        _import(at.store, chosen, path, annotator, leave_out)


def _export(store: Store, campaign: Campaign, path: Path, current: bool) -> None:
    from slim_core.annotation.answer_export import export as chunks

    content = chunks(store, campaign, path.suffix.removeprefix(".").lower(), current=current)
    with output_file(path) as draft, draft.open("wb") as file:
        for chunk in content:
            file.write(chunk)
    say(f"[bold green]answers[/] of [bold]{campaign.id}[/] written to {escaped(path)}")


def _import(store: Store, campaign: Campaign, path: Path, annotator: str, leave_out: bool) -> None:
    from slim_core.annotation.answer_import import import_file

    done = import_file(store, campaign, path, BY, annotator=annotator, leave_out_unfit=leave_out)
    for one in done.unfit:
        warn(f"left out: {visible(one.sentence)}")
    late = f", {done.n_over_quota} of them over quota (stored, not counted)" if done.n_over_quota else ""
    say(f"[bold green]answers[/] of [bold]{campaign.id}[/]: {done.n_new} new{late}, {done.n_known} were already stored")
    _show_progress(store, campaign)


def shapes(
    action: FileAction,
    file: Annotated[Path, typer.Argument(help="A COCO file with polygons; export writes a new one.")],
    data: OfDataSet = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="export: replace the file.")] = False,
) -> None:
    """Shapes drawn on images, as polygons in COCO format, which `slim import` and other tools read as masks."""
    from slim_core.annotation import shape_files
    from slim_core.runs.executor import newest_data_set

    at = plain_bench()
    store = at.store
    dataset = newest_data_set(at) if data is None else store.datasets.of(data)
    if action == "export":
        n = shape_files.write(store, dataset, file, overwrite=overwrite)
        say(f"[bold green]{n:,} drawn images[/] of {escaped(dataset.name)} written to {escaped(file)}")
        return
    taken = shape_files.read(store, dataset, file, by=BY)
    same = f", {taken.n_same:,} were already stored" if taken.n_same else ""
    new = counted(taken.n_new, "image")
    say(f"[bold green]{new}[/] of {escaped(dataset.name)} drawn on{same}")
    commands = [f"[cyan]slim {command} --data {dataset.id}[/]" for command in ("gradcam", "evaluate")]
    say(f"next: {' and '.join(commands)} score the attention on them")


def _chosen(at: Workbench, campaign: str | None) -> Campaign:
    from slim_core.runs.executor import newest_campaign

    return newest_campaign(at) if campaign is None else at.store.campaigns.fetch(campaign)
