"""What the processes of a training say to the one that started them: a line of JSON each, among lines of the log."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from slim_core import errors
from slim_core.errors import MemoryRefusedError, SlimError

_MARK = "slim-training "
Word = Literal["report", "result", "refusal", "ended"]


def send(word: Word, about: Mapping[str, Any]) -> None:
    """Write a line for ``parse``, at once and whole: other processes write to the same pipe."""
    line = _MARK + json.dumps({"word": word, **about}) + "\n"
    os.write(sys.stdout.fileno(), line.encode())


def parse(line: str) -> dict[str, Any] | None:
    """What a line says, with its "word"; None where somebody else has written it."""
    if not line.startswith(_MARK):
        return None
    try:
        found = json.loads(line.removeprefix(_MARK))
    except ValueError:  # two lines that ran into each other
        return None
    return found if isinstance(found, dict) and "word" in found else None


def error_to_json(error: SlimError | OSError) -> dict[str, Any]:
    """An error as plain values, for ``error_from_json``."""
    if isinstance(error, OSError):
        return {"errno": error.errno, "message": error.strerror or str(error)}
    remedy = error.remedy if isinstance(error, MemoryRefusedError) else None
    return {"error": type(error).__name__, "message": str(error), "remedy": remedy}


def error_from_json(about: Mapping[str, Any]) -> Exception:
    """The error that ``error_to_json`` has written down."""
    if "errno" in about:
        return OSError(about["errno"] or errno.EIO, about["message"])
    if about["remedy"] is not None:
        return MemoryRefusedError(about["message"], about["remedy"])
    kind: Callable[[str], SlimError] = getattr(errors, about["error"], SlimError)
    return kind(about["message"])
