"""slim candidates, slim answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.kit.bench import BY
from slim_core.cli.kit.console import (
    OfCampaign,
    Seed,
    console,
    errors,
    escaped,
    visible,
    writable_text,
    write_text,
)
from slim_core.cli.kit.tables import table
from slim_core.errors import AnswersRefusedError, SpecRefusedError, quoted
from slim_core.formatting import counted, percent
from slim_core.store.campaigns.overlap import still_needed
from slim_core.store.campaigns.values import KEYS, WORDS, value_of

if TYPE_CHECKING:
    from slim_core.runs.executor import Workbench
    from slim_core.store import Campaign, Store

UNDO, STOP = "z", "q"
QUESTION = ", ".join(f"{key} {WORDS[value]}" for value, key in KEYS.items()) + f", {UNDO} undo, {STOP} stop"
_OF_MASKS: dict[str, Any] = {"threshold": 0.5, "flip": 0.0, "unsure": 0.0, "seed": 0}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("candidates", epilog="Example: slim candidates --share 0.02")(candidates)
    app.command("answer", epilog="Example: slim answer --from-masks, or slim answer --csv answers.csv")(answer)


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
    at = _bench()
    known = {one.id for one in at.store.campaigns.all()}
    campaign = api.choose_candidates(space, share=share, seed=seed, name=name, overlap=overlap, gold=gold, at=at)
    if campaign.id in known:
        errors.print("This campaign was opened by the same command before; nobody has answered it yet.", soft_wrap=True)
    data, asked = at.store.datasets.table(campaign.dataset_id), sum(campaign.budgets.values())
    rows = [[data.label_names[int(label)], f"{n:,}"] for label, n in campaign.budgets.items()]
    table(f"{campaign.name}: {asked:,} of {campaign.n_split:,} images", ["class", "images"], rows)
    if share is None and (why := why_more(asked, campaign.n_split)):
        console.print(why, soft_wrap=True)
    _show_gold(at.store, campaign)
    if campaign.split in OF_OTHER_IMAGES:
        about = f"This campaign is about {campaign.split} images. {OF_OTHER_IMAGES[campaign.split]}"
        errors.print(about, style="yellow", soft_wrap=True)
    if csv:
        _write_questions(at.store, campaign, csv)
    console.print(f"[bold green]campaign[/] [bold]{campaign.id}[/]", soft_wrap=True)
    from_masks = "--from-masks, " if can_simulate(at.store, campaign.id) else ""
    console.print(f"next: [cyan]slim answer --campaign {campaign.id}[/] with {from_masks}--csv FILE or --ask")


def answer(
    campaign: OfCampaign = None,
    from_masks: Annotated[
        bool, typer.Option("--from-masks", help="Let the simulated annotator answer, from the masks.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="File with the columns row (or path) and answer.")] = None,
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
    """Answer a campaign: from the masks, from a file, or in the terminal."""
    from slim_core import api
    from slim_core.annotation.answer_files.checking import import_file
    from slim_core.cli.annotation.answer_files import show_imported
    from slim_core.runs.resolve import newest_campaign

    if [from_masks, csv is not None, ask].count(True) != 1:
        raise AnswersRefusedError("Say where the answers come from: one of --from-masks, --csv FILE and --ask.")
    how: dict[str, Any] = {"threshold": threshold, "flip": flip, "unsure": unsure, "seed": seed}
    unused = [f"--{option}" for option, value in how.items() if not from_masks and value != _OF_MASKS[option]]
    if unused:
        raise SpecRefusedError(f"{', '.join(unused)} is for answers taken from the masks: leave it out.")
    at = _bench()
    chosen = newest_campaign(at) if campaign is None else at.store.campaigns.fetch(campaign)
    if from_masks:
        api.answer_from_masks(chosen.id, at=at, **how)
        _show_unscored(at.store, chosen)
    elif csv is not None:
        show_imported(chosen, import_file(at.store, chosen, csv, BY, annotator=BY))
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
    console.print(f"The images with their attention are in {escaped(folder.resolve())}", soft_wrap=True)
    number = 0
    while number < len(items):
        item, started = items[number], time.monotonic()
        named = "" if campaign.is_blind else f", class {labels[item.label]}"
        shown = escaped(f"{paths[item.row].name}{named}")
        console.print(f"{number + 1} of {len(items)}: {shown}", soft_wrap=True)
        said = _asked(can_undo=number > 0)
        if said == STOP:
            return
        number += -1 if said == UNDO else 1
        duration_ms = round(1000 * (time.monotonic() - started))
        item, value = (items[number], None) if isinstance(said, str) else (item, said)
        terminal.save(store, campaign, BY, {item.row: value}, duration_ms=duration_ms)


def _asked(*, can_undo: bool) -> int | str:
    """What a person answers, UNDO of the answer before, or STOP; asked again after a slip."""
    while True:
        word = str(typer.prompt(QUESTION)).strip().lower()
        if word in (UNDO, STOP):
            if can_undo or word == STOP:
                return word
            errors.print("There is nothing to undo.", style="yellow")
            continue
        try:
            return value_of(word)
        except AnswersRefusedError:
            errors.print(visible(f"{quoted(word)} is not one of these."), style="yellow", soft_wrap=True)


def _show_progress(store: Store, campaign: Campaign) -> None:
    state = store.campaigns.progress(campaign.id)
    console.print(
        f"[bold green]campaign[/] [bold]{campaign.id}[/]  {state['answered']:,} of {state['total']:,} answered "
        f"({percent(state['share'])} of {campaign.split}): {state['right']:,} right, {state['wrong']:,} wrong "
        f"({state['empty']:,} called empty), {state['unsure']:,} unsure",
        soft_wrap=True,
    )
    if needed := still_needed(campaign, state):
        console.print(needed, style="yellow", soft_wrap=True)
    _show_use(campaign)


def _show_unscored(store: Store, campaign: Campaign) -> None:
    """For how many images the masks give no answer."""
    from slim_core.annotation.simulated_annotator import n_unscored

    if n := n_unscored(store, campaign.id):
        asked = counted(len(store.campaigns.items(campaign.id)), "image")
        text = f"{n:,} of {asked} have no score against a mask: they are answered unsure."
        console.print(text, style="yellow", soft_wrap=True)


def _show_use(campaign: Campaign) -> None:
    """The command that uses the answers of a campaign; nothing where none does."""
    from slim_core.training.config import BY_ANSWERS

    of_val = f"slim train --selection {BY_ANSWERS} --selection-option campaign={campaign.id}"
    use = {"train": f"slim curate --campaign {campaign.id}", "val": of_val}.get(campaign.split)
    if use is not None:
        console.print(f"next: [cyan]{use}[/]", soft_wrap=True)


def _show_gold(store: Store, campaign: Campaign) -> None:
    known = sum(item.gold is not None for item in store.campaigns.items(campaign.id))
    if missing := len(campaign.options["gold"]) - known:
        console.print(
            f"{missing} of {missing + known} gold images have no correct answer yet: set them on the Annotate page.",
            style="yellow",
        )


def _write_questions(store: Store, campaign: Campaign, path: Path) -> None:
    import pandas as pd

    from slim_core.formatting import to_csv

    rows = [item.row for item in store.campaigns.items(campaign.id)]
    paths = store.datasets.table(campaign.dataset_id).frame["path"].iloc[rows]
    write_text(path, to_csv(pd.DataFrame({"row": rows, "path": paths.to_list(), "answer": ""})))


def _bench() -> Workbench:
    from slim_core.runs.executor import open_workbench

    return open_workbench(by=BY)
