"""Sentences that a new user found odd, as they once stood on the pages: none of them is in the product any more."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = {"app": ("*.py", "*.js", "*.html"), "slim_core": ("*.py", "*.html"), "workers": ("*.py",), "docs": ("*.md",)}
ODD = (
    "It is right on **{percent",
    "gives away the class",
    "Not shown: the intervals",
    "Not known: one was",
    "such a rise may be chance",
    "says nothing about their spread",
    "its format or its columns were named",
    "may merge different surroundings",
    "may keep its shortcut",
    "the features are those of the reference model",
    "of the images across 0.5",
    "are taken to have right attention",
    "taken to be wrong",
    "people call surroundings",
    "asks nobody",
    "took nobody's time",
    "people are asked about",
    "gives the class away",
    "speaks against the class",
    "lies beside the object",
    "is seldom learnt",
    "estimated: no attribute is known",
    "answered by 2 annotators",
    "set elsewhere meanwhile",
    "Nobody signs in here",
    "it starts no run",
    "from all but its owner",
    "What has ended is kept",
)


def odd() -> list[str]:
    """ "FILE: sentence" of each that is found."""
    files = [file for room, kinds in ROOMS.items() for kind in kinds for file in sorted((ROOT / room).rglob(kind))]
    texts = {file.relative_to(ROOT): " ".join(file.read_text().split()) for file in files}
    return [f"{file}: {sentence}" for file, text in texts.items() for sentence in ODD if sentence in text]
