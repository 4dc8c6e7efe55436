"""What people say of the environments, as a subset takes and reports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slim_core.space.sheets import BELONGS, MIXED, UNSURE, YES, Environment


def report(environments: Sequence[Environment]) -> dict[str, Any]:
    """Part of a subset's report; empty where nobody was asked."""
    rows = [
        {
            "environment": each.path,
            "name": each.consensus.name,
            "images": len(each.positions),
            "belongs": BELONGS[each.consensus.value],
            "answers": each.consensus.n_answers,
            "split": each.is_split,
        }
        for each in environments
    ]
    return {"environments": rows} if any(each.consensus.n_answers for each in environments) else {}


def notes(environments: Sequence[Environment], if_all_belong: str) -> list[str]:
    """What follows from the answers about environments, where it is not what was asked for."""
    whole = [each for each in environments if not each.is_split]
    if said := all_belong(environments, if_all_belong):
        return said
    if any(each.consensus.n_answers for each in whole) and all(each.consensus.value == UNSURE for each in whole):
        return ["Every environment is unsure, or its answers disagree: all are balanced, as without answers."]
    return [
        f"Environment {each.path} was called mixed and {_why_whole(each)}, so it is balanced as a whole."
        for each in whole
        if each.consensus.value == MIXED
    ]


def all_belong(environments: Sequence[Environment], if_all_belong: str) -> list[str]:
    """What follows where people say of each environment that what it shares belongs to the class."""
    if not all(each.consensus.value == YES for each in environments if not each.is_split):
        return []
    return [f"By the answers, what each environment shares belongs to the class: {if_all_belong}."]


def single(environments: Sequence[Environment], if_single: str) -> list[str]:
    """What follows where a space has one environment for all its images, which then tells nothing apart.

    Where people say that it belongs to the class, ``notes`` says as much.
    """
    whole = [each for each in environments if not each.is_split]
    if len(whole) != 1 or whole[0].consensus.value == YES:
        return []
    remedy = "build a space with more clusters (slim space --n-clusters 4), or of more images"
    return [f"The space has a single environment, so {if_single}: {remedy}."]


def _why_whole(each: Environment) -> str:
    return "cannot be split further" if each.consensus.is_enough else "too few have answered yet to split it"
