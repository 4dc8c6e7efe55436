"""slim sheets, as people type it."""

from __future__ import annotations

import pytest

from slim_core.annotation.plan import create_campaign
from slim_core.cli import main
from slim_core.settings import settings
from slim_core.space.sheets import NO, YES


@pytest.fixture
def campaign(looped, monkeypatch):
    """A new one of the small loop, whose home commands find."""
    monkeypatch.setenv("SLIM_HOME", str(looped.at.store.settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield create_campaign(looped.at.store, looped.loop.space, share=0.02, seed=0, name="by command")
    settings.cache_clear()


def run(*words: str) -> int:
    """The exit code of a command."""
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_answers_are_said_listed_and_simulated(looped, campaign, capsys) -> None:
    chosen = ("sheets", "--campaign", campaign.id)
    assert run(*chosen, "--say", "0=no:red petals", "--say", "1=YES") == 0
    said = looped.at.store.environment_answers.consensus(campaign.id)
    assert {path: (one.value, one.name) for path, one in said.items()} == {"0": (NO, "red petals"), "1": (YES, "")}
    assert "red petals" in capsys.readouterr().out
    assert run(*chosen, "--from-attribute") == 0
    votes = looped.at.store.environment_answers.votes(campaign.id)
    assert {vote.annotator for vote in votes if vote.environment in ("0", "1")} == {"command line"}
    assert f"slim curate --campaign {campaign.id}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("0=perhaps", "'0=perhaps' is not an answer: write ENVIRONMENT=ANSWER, with one of yes, no, mixed, unsure."),
        ("no", "'no' is not an answer"),
        ("99=no", "does not ask about an environment '99': choose one of 0, 1"),
    ],
)
def test_an_answer_that_is_none_is_refused_in_a_sentence(looped, campaign, capsys, answer: str, why: str) -> None:
    assert run("sheets", "--campaign", campaign.id, "--say", answer) == 2
    assert why in capsys.readouterr().err
    assert looped.at.store.environment_answers.consensus(campaign.id) == {}


def test_a_seed_below_0_is_refused_before_anything_is_answered(looped, campaign, capsys) -> None:
    assert run("sheets", "--campaign", campaign.id, "--from-attribute", "--seed", "-1") == 2
    assert "The seed is -1: give 0 or more." in capsys.readouterr().err
    assert looped.at.store.environment_answers.consensus(campaign.id) == {}


@pytest.mark.parametrize(
    "second", [("--say", "99=no"), ("--say", f"1=no:{'a' * 81}"), ("--from-attribute", "--say", "99=no")]
)
def test_of_several_answers_none_is_kept_where_one_is_refused(looped, campaign, second: tuple[str, ...]) -> None:
    assert run("sheets", "--campaign", campaign.id, "--say", "0=no", *second) == 2
    assert looped.at.store.environment_answers.votes(campaign.id) == []


def test_the_answers_of_a_closed_campaign_are_listed(looped, campaign, capsys) -> None:
    looped.at.store.campaigns.close(campaign.id)
    assert run("sheets", "--campaign", campaign.id) == 0
    assert "Environments of by command" in capsys.readouterr().out
