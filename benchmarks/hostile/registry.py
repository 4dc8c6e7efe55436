"""The kinds of input by name, in the order in which they are sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.hostile.case import Case
from benchmarks.hostile.kinds import (
    addresses,
    bodies,
    checkpoints,
    exports,
    files,
    options,
    queries,
    redis_messages,
    settings,
    tables,
    tokens,
    websockets,
)
from benchmarks.hostile.studio import Studio

Cases = Callable[[Studio, int], Sequence[Case]]  # (the studio, the seed of what is drawn)

KINDS: dict[str, Cases] = {
    "tables": tables.cases,
    "files": files.cases,
    "options": options.cases,
    "settings": settings.cases,
    "checkpoints": checkpoints.cases,
    "addresses": addresses.cases,
    "queries": queries.cases,
    "tokens": tokens.cases,
    "bodies": bodies.cases,
    "exports": exports.cases,
    "websockets": websockets.cases,
    "redis messages": redis_messages.cases,
}
