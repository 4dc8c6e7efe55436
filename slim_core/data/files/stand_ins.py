"""Files that stand in the place of others: web pages that a server sends instead, and pointers of Git LFS."""

from __future__ import annotations

import os
from pathlib import Path

_PAGES = (b"<!doctype html", b"<html")
_POINTER = b"version https://git-lfs.github.com/spec/"
_HEAD = 512  # bytes that are read of a file


def is_web_page(start: bytes) -> bool:
    """Whether these first bytes of a file are those of a web page."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower().startswith(_PAGES)


def stand_in_refusal(path: Path, wanted: str) -> str | None:
    """What to do about a file that is no "archive" or the like, but a web page or a pointer; None where neither."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # no pipe waits
            start = file.read(_HEAD) or b""
    except OSError:
        return None
    if start.startswith(_POINTER):
        return f"{path} is a Git LFS pointer and not {wanted}: fetch the files themselves with git lfs pull."
    return f"{path} {instead_of(wanted)}" if is_web_page(start) else None


def instead_of(wanted: str) -> str:
    """The rest of the sentence after the name of a file that is a web page."""
    return f"is a web page and not {wanted}, often an error page saved as one: download it again."
