"""Bodies of the annotation routes, sent with a good ticket: broken JSON, wrong types, values without end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from benchmarks.hostile.case import Case, Expected
from benchmarks.hostile.clients import post
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

DRAWN = 160
ROUTES = ("next", "answers", "given", "release")
RAW: dict[str, bytes] = {
    "nothing": b"",
    "words": b"hello",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "not UTF-8": b"\xff\xfe",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000,
    "5,000 digits": b'{"n": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"n": NaN}',
    "2 MB": b'{"a": "' + b"x" * 2_000_000 + b'"}',
    "cut": b'{"campaign": "c',
}
NEXT: dict[str, tuple[Any, ...]] = {
    "campaign": (None, 5, [], {}, "", "c-nothing", "../x", "\ud800", "x" * 81, "a\x00b", "' OR 1=1 --"),
    "session": (None, 5, [], "", "x" * 81, "\ud800", "a\nb", {}),
    "n": (0, -1, 101, 10**30, 1.5, "6", True, None, [], 1e300),
    "was": (5, "x", [5], [[]], ["x"] * 11, ["\ud800"], {}),
    "after": (-2, 10**30, 0.5, "x", [], True),
}
ANSWER: dict[str, tuple[Any, ...]] = {
    "id": (None, 5, "", "x" * 81, "\ud800", [], {}),
    "item": ("x", [], {}, None, 1.5, True, "\ud800"),
    "value": (7, -2, True, "1", 0.5, [], {}, 10**30),
    "seen": ([], 5, "x", {"run": "\ud800"}, {"run": 5}, {"view": {}}, {"run": "x" * 900_000}),
    "ms": ("long", [], {}, True, 10**400),
}
RUDE_ANSWERS: tuple[Any, ...] = (None, 5, "x", {}, [5], [None], [[]], ["x"], [{}], [{"id": "a"}] * 501)


def cases(studio: Studio, seed: int) -> list[Case]:
    """Each changes one thing of a body that would be taken."""
    at = studio.results
    made = [_case(f"{route}: {name}", route, body, "refused") for route in ROUTES for name, body in RAW.items()]
    asked = {"campaign": at.campaign, "session": "tab", "n": 1}
    made += [
        _case(f"next: {name}={_short(value)}", "next", asked | {name: value})
        for name, values in NEXT.items()
        for value in values
    ]
    made += [
        _case(f"given: {name}={_short(value)}", "given", asked | {name: value})
        for name in ("campaign", "n")
        for value in NEXT[name]
    ]
    made += [
        _case(f"given: before={_short(value)}", "given", asked | {"before": value})
        for value in (-1, 2**63, "x", 1.5, [])
    ]
    made += [
        _case(f"release: {name}={_short(value)}", "release", asked | {name: value})
        for name in ("campaign", "session")
        for value in NEXT[name]
    ]
    return [*made, *_answers(at.campaign, at.items[0]), *_drawn(at.campaign, at.items[0], seed)]


def _answers(campaign: str, item: int) -> list[Case]:
    good = {"id": "one", "item": item, "value": 1, "seen": {}, "ms": 1}
    made = [
        _case(f"answer: {name}={_short(value)}", "answers", {"campaign": campaign, "answers": [good | {name: value}]})
        for name, values in ANSWER.items()
        for value in values
    ]
    made += [
        _case(f"answers={_short(value)}", "answers", {"campaign": campaign, "answers": value}) for value in RUDE_ANSWERS
    ]
    unknown = [
        _case(
            f"item {number}",
            "answers",
            {"campaign": campaign, "answers": [good | {"id": f"u{number}", "item": number}]},
            "either",
        )
        for number in (0, -1, 10**9, 2**63, 2**70)
    ]
    accepted = [
        _case(
            f"seen {_short(seen)}",
            "answers",
            {"campaign": campaign, "answers": [good | {"id": f"s{i}", "seen": seen}]},
            "either",
        )
        for i, seen in enumerate(
            (
                {"run": "=HYPERLINK(1)"},
                {"run": "r" * 80},
                {"view": "overlay\x00"},
                {"a": [[[]]]},
                {"run": None},
                {"\ud800": 1},
                {str(i): i for i in range(1_000)},
            )
        )
    ]
    return [*made, *unknown, *accepted]


def _drawn(campaign: str, item: int, seed: int) -> list[Case]:
    """Whatever JSON can hold, in the fields that are read."""
    leaf = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    )
    junk = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )
    fields = st.dictionaries(
        st.sampled_from(["campaign", "session", "n", "was", "after", "answers", "before", "guess"]), junk
    )
    whole = drawn(st.tuples(st.sampled_from(ROUTES), fields), DRAWN // 2, of_seed=seed)
    made = [_case(f"drawn {route}: {_short(body)}", route, body, "either", is_drawn=True) for route, body in whole]
    answer = st.fixed_dictionaries(
        {"item": st.just(item)}, optional={"id": junk, "value": junk, "seen": junk, "ms": junk, "skip": junk}
    )
    for each in drawn(answer, DRAWN // 2, of_seed=seed):
        body = {"campaign": campaign, "answers": [each]}
        made.append(_case(f"drawn answer: {_short(each)}", "answers", body, "either", is_drawn=True))
    return made


def _short(value: object) -> str:
    return ascii(value)[:70]


def _case(name: str, route: str, body: object, expected: Expected = "refused", *, is_drawn: bool = False) -> Case:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name, lambda studio: post(studio, route, content), expected, drawn=is_drawn)
