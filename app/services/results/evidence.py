"""What stands beside a result: its other seeds, the random subset of the same size, what was paid; and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import session
from slim_core.evaluation.comparison import grouping_of
from slim_core.evaluation.report import story
from slim_core.evaluation.same_images import outcomes_of
from slim_core.evaluation.seed_pairs import seed_pairs
from slim_core.metrics import WGA

if TYPE_CHECKING:
    from app.services.loop_state import Loop, Result
    from app.services.results.comparison import Compared
    from slim_core.evaluation.report.story import Named, Verdict

RANDOM = "random"  # the strategy


@dataclass(frozen=True)
class Facts:
    """Worst-group accuracy: ``pairs`` (before, after) as from seed_pairs; ``random``: of each random subset."""

    pairs: tuple[tuple[float, float], ...] = ()
    random: tuple[float, ...] = ()


def of(loop: Loop, compared: Compared) -> Facts:
    """The facts of the loop's result; nothing where it is no pair."""
    result, known = loop.result, compared.evaluations
    if result is None or result.after is None:
        return Facts()

    def wga(evaluation_id: str) -> float:
        return float((known[evaluation_id].metrics or {})[WGA])

    controls = [one.after for one in loop.results if one.before and one.after and is_control(one, result)]
    same_groups = grouping_of(known[result.after.id]) if result.after.id in known else None
    random = [wga(one.id) for one in controls if one.id in known and grouping_of(known[one.id]) == same_groups]
    return Facts(_seeds(result, compared), tuple(random))


def _seeds(result: Result, compared: Compared) -> tuple[tuple[float, float], ...]:
    known = compared.evaluations
    if result.before is None or result.after is None or not {result.before.id, result.after.id} <= set(known):
        return ()
    return seed_pairs(compared.ancestry, known.values(), known[result.before.id], known[result.after.id])


def is_control(one: Result, result: Result) -> bool:
    """Whether a pair is the random subset for another: as large, of the same reference, retrained the same way."""
    if one.subset is None or result.subset is None or one.model is None or result.model is None:
        return False
    same_way = all(one.model.spec.get(name) == result.model.spec.get(name) for name in ("mode", "start", "epochs"))
    same_size = one.subset.spec["size"] == result.subset.spec["size"]
    return one.subset.spec["strategy"] == RANDOM and same_size and same_way and one.reference.id == result.reference.id


def verdict(loop: Loop, compared: Compared, *, named: Named = str) -> Verdict | None:
    """Whether the result is better than its reference; None where it is no pair, or not read yet.

    ``named``: as in slim_core.evaluation.report.story.
    """
    if loop.before is None or loop.after is None or loop.after.id not in compared.rows.index:
        return None
    cost, facts = compared.rows.loc[loop.after.id].to_dict(), of(loop, compared)
    outcomes = outcomes_of(session.store(), loop.before, loop.after)
    return story.verdict(
        loop.before, loop.after, cost, outcomes=outcomes, pairs=facts.pairs, random=facts.random, named=named
    )
