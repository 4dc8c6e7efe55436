"""Web pages that were saved under another name: what a server answers when it does not have the file."""

from __future__ import annotations

import os
from pathlib import Path

_STARTS = (b"<!doctype html", b"<html")
_HEAD = 512  # bytes that are read of a file


def is_web_page(start: bytes) -> bool:
    """Whether these first bytes of a file are those of a web page."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower().startswith(_STARTS)


def web_page(path: Path, wanted: str) -> str | None:
    """What to do about a file that is one in place of what is ``wanted``, as "an archive"; None where it is not."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # no pipe waits
            found = is_web_page(file.read(_HEAD) or b"")
    except OSError:
        return None
    return f"{path} {instead_of(wanted)}" if found else None


def instead_of(wanted: str) -> str:
    """The rest of the sentence after the file's name."""
    return f"is a web page and not {wanted}, often an error page saved as one: download it again."
