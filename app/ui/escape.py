"""Names that people gave, and sentences about them, in Markdown: shown as they are written, never read as Markdown."""

from __future__ import annotations

import re

# Emphasis, code, links and images, strikethrough, formulas, an entity, a tag; and Streamlit's own :red[...].
# What has no effect in its place (an underscore inside a word) is left alone.
_MEANS = re.compile(
    r"[*`\[~$<]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?\w+;)|:(?=[A-Za-z])|\\(?=[!-/:-@\[-`{-~]|\Z)", re.ASCII
)
# At the beginning of a line: a title, a quotation, an item of a list ("1. raw"), a rule, what underlines a title.
_BEGINS = re.compile(r"^[ \t]*(?:(?=[#>+=-])|\d{1,9}(?=[.)](?:\s|\Z)))", re.ASCII | re.MULTILINE)
_MAIL = re.compile(r"(?<=[\w.+-])@(?=[\w-]+\.[\w-])")  # Streamlit makes a link of an address, also of an escaped one
_SITE = re.compile(r"(?<=http)://|(?<=https)://|(?<=www)\.", re.IGNORECASE)  # so it does of these
_NOTHING = ":small[]"  # shows nothing, and parts the text: no address is seen then
# Words in Arabic or Hebrew letters: a number after one would be shown before it, as a part of these words
_LETTER = "[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc]"
_JOINT = r"(?:[^\S\n]|\\?[-_.'’\"])"  # inside a name: its parts are read from the right, too
_FROM_THE_RIGHT = re.compile(rf"{_LETTER}(?:{_JOINT}?{_LETTER})*")
_ISOLATED = "\u2068\\g<0>\u2069"
_CODE = re.compile(r"(`[^`\n]+`)")  # on one line: beyond an empty one, Markdown sees no code


def verbatim(text: object) -> str:
    """A name as Markdown that shows exactly this name, on one line; in sentences, an address of a site is a link."""
    return _SITE.sub(rf"{_NOTHING}\g<0>", _escaped(" ".join(str(text).split())))


def prose(text: object) -> str:
    """Sentences about names and paths: text in `backticks` is code, all else is shown as it is written, a line each."""
    parts = _CODE.split(str(text))
    return "".join(part if at % 2 else _escaped(part) for at, part in enumerate(parts)).replace("\n", "  \n")


def _escaped(text: str) -> str:
    shown = _MAIL.sub(f"{_NOTHING}@", _BEGINS.sub(r"\g<0>\\", _MEANS.sub(r"\\\g<0>", text)))
    return _FROM_THE_RIGHT.sub(_ISOLATED, shown)
