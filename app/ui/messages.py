"""What people and programs have written, as a page says it: names as they are written, an error as its one sentence,
and the terms of the field with one meaning each.

A page that met no database, or no queue, is drawn again once there is one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app import session
from slim_core.errors import QueueUnavailableError, SlimError
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    CONFUSION,
    COVERAGE,
    DEFINITIONS,
    GAP,
    IOU,
    NO_EVIDENCE,
    WGA,
    WORST_CLASS,
)
from slim_core.store.database import StoreUnavailableError, disk_error

EVERY_S = 3


def when_the_database_is_back() -> None:
    """Draw the page again as soon as the database answers; nothing where it does, and another trouble was met."""
    if not _database_is_back():
        _try_again()


def when_the_queue_is_back() -> None:
    """The same of Redis: what a press has saved meanwhile is shown then, and no longer that it waits for Redis."""
    if not _takes_runs():
        _follow_queue()


@st.fragment(run_every=EVERY_S)
def _try_again() -> None:
    if _database_is_back():
        st.rerun()
    st.caption(f"This page tries again every {EVERY_S} seconds.")


@st.fragment(run_every=EVERY_S)
def _follow_queue() -> None:
    if _takes_runs():
        st.rerun()


def _database_is_back() -> bool:
    try:
        return session.store().database.answers()
    except SlimError:  # it has not been opened yet
        return False


def _takes_runs() -> bool:
    try:
        return session.queue().silence() is None
    except SlimError:  # the database is away by now
        return False


log = logging.getLogger(__name__)


@contextmanager
def errors_shown(said: set[str] | None = None) -> Iterator[None]:
    """Show a SlimError raised inside as its sentence, and one of the disk; what follows on the page still runs.

    Where the database or Redis was away, the page is drawn again once it answers. ``said``: by other parts of the page,
    which may meet the same: a sentence among them is not said again.
    """
    said = set() if said is None else said
    try:
        yield
    except StoreUnavailableError as error:
        log.warning("A page could not be drawn: %s", error)  # with the place, for whoever runs the server
        _show(error, said)
    except SlimError as error:
        _show(error, said)
    except OSError as error:
        log.warning("A page met a disk that is away or full", exc_info=True)
        _show(disk_error(error), said)


def for_reader(message: object) -> str:
    """An error, or what a run says, as the person of this page may read it: only an admin reads where things are on
    the server."""
    text = str(message)
    if session.without_places(text) == text:
        return text  # as nearly all: whose page it is, the database need not say
    try:
        viewer = session.viewer()
    except SlimError:  # the database is away, and with it their role
        viewer = None
    return session.sentence_for(viewer, text)


def _show(error: SlimError, said: set[str]) -> None:
    sentence = for_reader(error)
    if sentence not in said:
        st.error(prose(sentence), icon=":material/error:")
    said.add(sentence)
    if isinstance(error, StoreUnavailableError):
        when_the_database_is_back()
    elif isinstance(error, QueueUnavailableError):
        when_the_queue_is_back()


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


TERMS: dict[str, str] = {  # term -> meaning
    "WGA": DEFINITIONS[WGA],
    "average accuracy": DEFINITIONS[AVERAGE],
    "adjusted average": DEFINITIONS[ADJUSTED],
    "gap": DEFINITIONS[GAP],
    "worst-class accuracy": DEFINITIONS[WORST_CLASS],
    "confusion matrix": DEFINITIONS[CONFUSION],
    "IoU": DEFINITIONS[IOU],
    "AIoU": DEFINITIONS[AIOU],
    "attention precision": DEFINITIONS[ATTENTION_PRECISION],
    "coverage": DEFINITIONS[COVERAGE],
    "group": "A class with an attribute, such as *waterbird on land*. Shortcuts lower the accuracy of some groups.",
    "estimated group": "Class x environment cluster, used as a group where attributes are unknown.",
    "attribute": "What a class often occurs with (a place, a gender), which a model may learn instead.",
    "95 % interval": (
        "Wilson's confidence interval of the rate, given the number of images. Two may overlap although the models "
        "differ: the verdict compares them image by image."
    ),
    "reference model": "The first model, trained on all of train. Annotators answer about its attention.",
    "attention map": "Where the model finds evidence for a class (Grad-CAM). Bright areas contribute most.",
    "no evidence": DEFINITIONS[NO_EVIDENCE],
    "class of the map": "The class whose evidence the map shows: the label, the prediction, or another class.",
    "entropy": "Entropy of the prediction in bits: 0 is certain, 1 is an even split between two classes.",
    "loss": "Cross-entropy: minus the logarithm of the probability of the true class.",
    "confidence": "The probability of the predicted class.",
    "attention space": "Each image as a point, close to images with similar content under the attention.",
    "environment": "A cluster of images with similar content outside the attention.",
    "environment space": "Each image as a point, close to images with similar surroundings.",
    "candidate": "An image that annotators are asked about, chosen to represent many others.",
    "campaign": "The candidates of one space and their answers.",
    "answer": "Whether the attention is right: right, wrong, empty (counts as wrong), unsure (not counted).",
    "propagation": "Spreads the answers to neighbouring images in the attention space.",
    "propagated score": "The probability that the attention is right, propagated from the answers.",
    "trusted image": "An image whose propagated score passes the keep rule.",
    "cell": "A class in an environment. A balanced subset takes equally many images of each class there.",
    "budget": "The number of images taken from a cell.",
    "repeat": "A repeated image, because its cell, or a part of it, has fewer images than its budget.",
    "subset": "The small, balanced set of training images for retraining.",
    "retraining": "Training on the subset: all layers, or only the last one.",
    "seed": "The random seed: with the same inputs and on the same kind of processor it gives the same result.",
    "fingerprint": "A hash of the table, not of the pixels: runs with the same fingerprint use the same table.",
}


def explain(*terms: str) -> str:
    """The meaning of each term, as markdown for ``help=``.

    Raises:
        KeyError: a term is not in TERMS.
    """
    if len(terms) == 1:
        return TERMS[terms[0]]
    return "\n\n".join(f"**{term[0].upper()}{term[1:]}.** {TERMS[term]}" for term in terms)
