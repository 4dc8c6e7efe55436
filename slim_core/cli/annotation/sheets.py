"""slim sheets."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY
from slim_core.cli.kit.console import OfCampaign, Seed, console
from slim_core.cli.kit.tables import table
from slim_core.errors import AnswersRefusedError, SpecRefusedError, quoted

if TYPE_CHECKING:
    from slim_core.annotation.sheets import Sheets
    from slim_core.store import EnvironmentAnswer


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("sheets", epilog="Example: slim sheets --say 0=no:water --say 3=yes, or slim sheets --from-attribute")(
        sheets
    )


def sheets(
    campaign: OfCampaign = None,
    say: Annotated[
        list[str] | None, typer.Option(help="ENVIRONMENT=ANSWER or ENVIRONMENT=ANSWER:NAME; yes, no, mixed or unsure.")
    ] = None,
    from_attribute: Annotated[
        bool, typer.Option("--from-attribute", help="The simulated annotator, from the attribute.")
    ] = False,
    flip: Annotated[float, typer.Option(help="With --from-attribute: probability of a mistake.")] = 0.0,
    unsure: Annotated[float, typer.Option(help="With --from-attribute: probability of unsure.")] = 0.0,
    seed: Seed = 0,
) -> None:
    """Say for each environment whether what its images share belongs to the class, and list the answers.

    The images are on the Annotate page, part Environments.
    """
    from slim_core.annotation import sheets as of
    from slim_core.annotation.simulated_sheets import simulate_sheets
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.resolve import newest_campaign

    unused = [f"--{name}" for name, value in (("flip", flip), ("unsure", unsure), ("seed", seed)) if value]
    if unused and not from_attribute:
        raise SpecRefusedError(f"{', '.join(unused)} is for answers taken from the attribute: leave it out.")
    given = [_answer(text) for text in say or ()]
    at = open_workbench()
    chosen = campaign or newest_campaign(at).id
    if from_attribute:
        of.require_asked(of.sheets(at.store, chosen), given)  # before anything is kept
        simulate_sheets(at.store, chosen, flip=flip, unsure=unsure, seed=seed)
    if given:
        of.answer_all(at.store, chosen, BY, given, BY)
    _show(of.sheets(at.store, chosen))


def _answer(text: str) -> EnvironmentAnswer:
    """An answer as it is typed: 3=no, or 3.0=yes:flower beds."""
    from slim_core.space.sheets import BELONGS
    from slim_core.store import EnvironmentAnswer

    path, _, rest = text.partition("=")
    word, _, name = rest.partition(":")
    values = {each: value for value, each in BELONGS.items()}
    if word.strip().lower() not in values:
        raise AnswersRefusedError(
            f"{quoted(text)} is not an answer: write ENVIRONMENT=ANSWER, with one of {', '.join(values)}."
        )
    return EnvironmentAnswer(secrets.token_hex(16), path.strip(), values[word.strip().lower()], name.strip())


def _show(found: Sheets) -> None:
    rows = [
        [
            each.path,
            each.consensus.name,
            f"{len(each.positions):,}",
            *_together(each.consensus.value, each.consensus.n_answers),
        ]
        for each in found.environments
    ]
    columns = ["environment", "name", "images", "belongs", "answers"]
    table(f"Environments of {found.campaign.name}", columns, rows)
    if found.campaign.split == "train":  # environments of other images are balanced nowhere
        console.print(f"next: [cyan]slim curate --campaign {found.campaign.id}[/]", soft_wrap=True)


def _together(value: int, n_answers: int) -> tuple[str, str]:
    """What people say and how many they are; nothing where nobody has answered."""
    from slim_core.space.sheets import BELONGS

    return (BELONGS[value], str(n_answers)) if n_answers else ("", "")
