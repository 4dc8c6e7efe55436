"""One tree of errors. Each message is one sentence that names the value at fault and what to do about it.

The command line prints the message and exits with 2, a page shows it, a run's row keeps it: the same words everywhere.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TypeGuard

_SHOWN = 100  # letters of a value that a message quotes


def quoted(value: object) -> str:
    """A value as a message names it: as Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # lists in lists, a number of 5,000 digits
        text = f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def instead_of(name: object, known: Collection[str]) -> str:
    """What a sentence says of a name that is unknown: to take the one that is most like it, else which there are."""
    near = get_close_matches(str(name), known, n=1)
    return f"take {near[0]}" if near else f"choose from {', '.join(known)}"


def first_line(error: BaseException) -> str:
    """The first line of what a library says of its failure, for a sentence of ours; its class where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def is_full_disk(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether the system has refused to write since the disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class SlimError(Exception):
    """Anything a user can mend. Its text is shown as it stands."""


class PathRefusedError(SlimError):
    """A path lies outside the allowed roots, or a name tries to leave its folder."""


class SettingRefusedError(SlimError):
    """An environment variable holds what it cannot hold."""


class DataRefusedError(SlimError):
    """A data set cannot be imported, or no longer is what was imported."""


class ImageRefusedError(SlimError):
    """An image is missing, broken, truncated or too large."""


class ShapeRefusedError(SlimError):
    """What was drawn on an image is no shape, or cannot be kept."""


class CheckpointRefusedError(SlimError):
    """A checkpoint does not fit the model, or is not a file of plain tensors."""


class WeightsMissingError(SlimError):
    """Pretrained weights are neither on disk nor can be downloaded."""


class SpecRefusedError(SlimError):
    """A step was asked for something it cannot do."""


class MemoryRefusedError(SpecRefusedError):
    """The memory of the device does not hold a batch."""

    def __init__(self, message: str, remedy: Mapping[str, int] | None = None) -> None:
        """``remedy``: fields of the spec with which a batch was seen to fit; none where nothing was."""
        super().__init__(message)
        self.remedy = dict(remedy or {})


class NothingToRepeatError(SpecRefusedError):
    """A first model makes no errors on train, so that none can be repeated (JTT) or contrasted (CnC)."""


class NameRefusedError(SlimError):
    """Nobody's answers can be kept under this name."""


class AnswersRefusedError(SlimError):
    """The answers given cannot be propagated, or do not belong to the campaign."""


class NotFoundError(SlimError):
    """No run, data set or campaign has this id."""


class ArtifactDamagedError(SlimError):
    """A file that a run has left cannot be read any more."""


class ConflictError(SlimError):
    """Someone else changed the same thing first."""


class ForbiddenError(SlimError):
    """The viewer's role does not allow this."""


class QueueUnavailableError(SlimError):
    """Redis does not answer, so nothing can be submitted now."""


class RunCanceledError(SlimError):
    """Raised inside a step when someone asked it to stop."""


class RunLostError(SlimError):
    """Raised inside a step whose lease or attempt token was taken by another worker."""


_RAISED_AGAIN = {error.__name__: error for error in (NothingToRepeatError,)}  # by whoever awaits the run that failed so


def error_of_run(kind: object) -> type[SlimError]:
    """The error that a failed run raises for whoever awaits it, by the name of the class that its step raised."""
    return _RAISED_AGAIN.get(str(kind), SlimError)
