"""What annotators said before: from it follow the ids of answers that a program gives, on every repetition the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from slim_core.store.campaigns.consensus import DECISION, SKIP, put


class EarlierAnswers:
    """The answers to the images of a campaign so far: what is given again changes nothing, and what is new, counts."""

    def __init__(self, campaign_id: str, audit: Iterable[Mapping[str, Any]]) -> None:
        """``audit``: of Answers.audit."""
        self._campaign_id = campaign_id
        self._n: Counter[tuple[str, int]] = Counter()  # rows of (annotator, image)
        self._stacks: dict[tuple[str, int], list[tuple[int, str]]] = {}  # and their (value, id), undone ones taken off
        for each in audit:
            if each["source"] not in (DECISION, SKIP):
                key, value = (each["annotator"], each["row"]), each["value"]
                self._n[key] += 1
                put(self._stacks.setdefault(key, []), None if value is None else (value, each["id"]))

    def id_of(self, annotator: str, row: int, value: int) -> str:
        """The id of the current answer, where it says the same; else that of the change it would be."""
        stack = self._stacks.get((annotator, row))
        if stack and stack[-1][0] == value:
            return stack[-1][1]
        change = [self._campaign_id, row, annotator, value, self._n[annotator, row]]
        return "f-" + hashlib.sha256(json.dumps(change).encode()).hexdigest()[:40]
