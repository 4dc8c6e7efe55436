"""Answers of another tool: a file is checked line by line, and then kept as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core.annotation.answer_files import reading as answer_lines
from slim_core.annotation.terminal import value_of
from slim_core.errors import AnswersRefusedError
from slim_core.store.campaign import DECISION, SKIP, AnswerIn, put

if TYPE_CHECKING:
    from slim_core.store import Campaign, Store

SHOWN = 5  # lines named in a sentence
LONGEST = 120  # letters shown of a line
NOBODY = "file"  # annotator of lines that name none


@dataclass(frozen=True)
class Unfit:
    """Lines of a file that do not fit, and why, as one sentence."""

    kind: str  # fields, image, pair, answer, asked, conflict, annotator
    lines: tuple[int, ...]  # numbered as answer_lines.read does
    sentence: str


@dataclass(frozen=True, eq=False)
class Checked:
    """A file that was read and changed nothing yet."""

    n_lines: int
    answers: Mapping[str, tuple[AnswerIn, ...]]  # annotator -> what fits
    unfit: tuple[Unfit, ...]

    @property
    def n_fitting(self) -> int:
        """Answers that fit."""
        return sum(len(given) for given in self.answers.values())


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    n_new: int
    n_known: int  # were there already
    n_surplus: int  # of the new ones: beyond the overlap, kept but not counted
    unfit: tuple[Unfit, ...]  # left out, where that was wanted


def check_file(
    store: Store, campaign: Campaign, source: Path | bytes, annotator: str = NOBODY, *, name: str | None = None
) -> Checked:
    """Read a file with the columns row or path, and answer (or value): 1, 0, -1 or right, wrong, unsure.

    CSV, JSON lines or Parquet, by the ending of the file, or of its ``name`` where ``source`` is what it holds.
    Also read, where there are: annotator (else all answers are of ``annotator``) and seconds. Of our own export of
    everything, what stands is read. Nothing is kept yet.

    Raises:
        AnswersRefusedError: the file cannot be read, lacks a column, or is not what its ending says.
    """
    lines = answer_lines.read(source, name)
    table = store.datasets.table(campaign.dataset_id)
    known = {str(path): row for row, path in enumerate(table.frame["path"])}
    items = {item.row: item.id for item in store.campaigns.items(campaign.id)}
    reader = _Reader(_Said(campaign.id, store.campaigns.audit(campaign.id)), items, known, len(table), annotator)
    for line, record, n_more in lines:
        reader.read(line, record, n_more)
    return Checked(len(lines), reader.answers(), reader.unfit(table.name, campaign.id))


def import_file(
    store: Store,
    campaign: Campaign,
    source: Path | bytes,
    by: str,
    *,
    annotator: str = NOBODY,
    leave_out_unfit: bool = False,
    name: str | None = None,
) -> Imported:
    """Keep the answers of a file: all of them, or none where a line does not fit (or what fits: ``leave_out_unfit``).

    The same file twice adds nothing, and a file that takes back another one's change is a change again.

    Raises:
        AnswersRefusedError: lines do not fit (every kind in one sentence), nothing is left, the campaign is closed.
    """
    checked = check_file(store, campaign, source, annotator, name=name)
    if checked.unfit and not leave_out_unfit:
        raise AnswersRefusedError(
            " ".join(one.sentence for one in checked.unfit) + " Nothing was imported: correct the file."
        )
    if not checked.n_fitting:
        raise AnswersRefusedError("The file holds no answer that fits: nothing was imported.")
    n_new, n_surplus = store.campaigns.take_in(campaign.id, by, checked.answers)
    return Imported(n_new, checked.n_fitting - n_new, n_surplus, checked.unfit)


class _Said:
    """What annotators have said before the file: from it follow the ids of its answers, on every reading the same."""

    def __init__(self, campaign_id: str, audit: Iterable[Mapping[str, Any]]) -> None:
        self._campaign_id = campaign_id
        self._n: Counter[tuple[str, int]] = Counter()  # rows of (annotator, image)
        self._stacks: dict[tuple[str, int], list[tuple[int, str]]] = {}  # and their (value, id), undone ones taken off
        for each in audit:
            if each["source"] not in (DECISION, SKIP):
                key, value = (each["annotator"], each["row"]), each["value"]
                self._n[key] += 1
                put(self._stacks.setdefault(key, []), None if value is None else (value, each["id"]))

    def id_of(self, annotator: str, row: int, value: int) -> str:
        """The id of the answer that stands, where it says the same; else that of the change it would be."""
        stack = self._stacks.get((annotator, row))
        if stack and stack[-1][0] == value:
            return stack[-1][1]
        change = [self._campaign_id, row, annotator, value, self._n[annotator, row]]
        return "f-" + hashlib.sha256(json.dumps(change).encode()).hexdigest()[:40]


class _Reader:
    """Sorts the lines of a file into answers and what does not fit."""

    def __init__(
        self, said: _Said, items: Mapping[int, int], paths: Mapping[str, int], n_images: int, annotator: str
    ) -> None:
        self._said, self._items, self._paths, self._n_images = said, items, paths, n_images
        self._annotator = annotator
        self._kept: dict[tuple[str, int], tuple[int, int, int]] = {}  # (annotator, row) -> (value, line, milliseconds)
        self._contradicted: set[tuple[str, int]] = set()
        self._unfit: dict[str, list[tuple[int, str]]] = {}

    def read(self, line: int, record: Mapping[str, str], n_more: int) -> None:
        """One line; an empty one, and an image without an answer (not answered yet), is no mistake."""
        if n_more:
            self._put("fields", line, f"{n_more} more")
            return
        said = (record.get("answer") or record.get("value") or "").strip()
        if not said:
            return
        number, path = (record.get("row") or "").strip(), (record.get("path") or "").strip()
        named = number or path
        row = self._row(number.removesuffix(".0"), path)
        if row is None:
            both = f"row {number}, path {path}"
            self._put(*(("pair", line, both) if number and path else ("image", line, named)))
            return
        try:
            value = value_of(said)
        except AnswersRefusedError:
            self._put("answer", line, said)
            return
        annotator = (record.get("annotator") or "").strip() or self._annotator
        if row not in self._items:
            self._put("asked", line, named)
        elif len(annotator) > 200 or not annotator.isprintable():
            self._put("annotator", line, annotator[:20])
        elif (annotator, row) in self._kept and self._kept[annotator, row][0] != value:
            self._contradicted.add((annotator, row))
            self._put("conflict", line, f"{named} (line {self._kept[annotator, row][1]})")
        else:
            self._kept[annotator, row] = (value, line, _milliseconds(record.get("seconds")))

    def _row(self, number: str, path: str) -> int | None:
        """The row in the data set's table; where both row and path are given, they must speak of one image."""
        is_number = number.isascii() and number.isdigit() and len(number) < LONGEST  # Python reads no endless ones
        by_number = int(number) if is_number and int(number) < self._n_images else None
        if path and number:
            return by_number if self._paths.get(path) == by_number else None
        return by_number if number else self._paths.get(path)

    def answers(self) -> dict[str, tuple[AnswerIn, ...]]:
        """Annotator -> answers, without those that contradict each other."""
        found: dict[str, list[AnswerIn]] = {}
        for (annotator, row), (value, _, duration_ms) in self._kept.items():
            if (annotator, row) in self._contradicted:
                continue
            answer = AnswerIn(
                self._said.id_of(annotator, row, value), self._items[row], value, {"file": True}, duration_ms
            )
            found.setdefault(annotator, []).append(answer)
        return {annotator: tuple(given) for annotator, given in found.items()}

    def unfit(self, data_set: str, campaign_id: str) -> tuple[Unfit, ...]:
        """What did not fit, a sentence a kind."""
        told = {
            "fields": "with more fields than the header",
            "image": f"with an image that {data_set} does not have",
            "pair": "whose row and path are not of one image",
            "answer": "without an answer (1 or right, 0 or wrong, -1 or unsure)",
            "asked": f"about an image that campaign {campaign_id} does not ask about",
            "annotator": "with an annotator nobody can be called",
            "conflict": "against another line about the same image and annotator",
        }
        return tuple(
            Unfit(kind, tuple(line for line, _ in self._unfit[kind]), _sentence(self._unfit[kind], what))
            for kind, what in told.items()
            if kind in self._unfit
        )

    def _put(self, kind: str, line: int, shown: str) -> None:
        self._unfit.setdefault(kind, []).append((line, shown))


def _sentence(found: list[tuple[int, str]], what: str) -> str:
    listed = ", ".join(f"{line}: {shown[:LONGEST]!r}" for line, shown in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{len(found)} line{'s' if len(found) > 1 else ''} {what} (line {listed}{more})."


def _milliseconds(text: str | None) -> int:
    try:
        return max(0, round(1000 * float(text or 0)))
    except (ValueError, OverflowError):
        return 0
