"""Commands of ``slim`` with values that none of their options takes, specs, and settings, as the code declares them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer
from hypothesis import strategies as st

from benchmarks.dashboard import command as dashboard
from benchmarks.hostile.case import Case, Expected, Outcome, drawn
from benchmarks.hostile.studio import Studio
from benchmarks.hostile.ways_in import program, slim
from benchmarks.processes import free_port
from slim_core.cli.wiring import app
from slim_core.settings import Settings

DRAWN = 260
NO_NUMBERS = ("nan", "inf", "1e309", "x", "", "1" + "0" * 20)
TEXTS = ("", "nope", "../outside", "/etc", "os:system", "; rm -rf /", "$(touch x)", "' OR 1=1 --", "[/]", "\x1b[31m",
         "x" * 5_000, "é" * 60, "missing/x.json", "/proc/nothing", "nan,nan")  # fmt: skip
BEYOND_A_CASE = ("--name", "--note", "--queue", "--force", "--follow")  # what is given to the others as it is


def cases(studio: Studio, seed: int) -> Iterator[Case]:
    """Each option of each command; specs with drawn fields; each setting; services that must not start."""
    options = [(path, one) for path, found in commands() for one in found.params if not _is_beyond(path, one)]
    pairs = st.tuples(st.sampled_from(options), st.sampled_from(NO_NUMBERS + TEXTS))
    for (path, one), value in drawn(pairs, DRAWN, of_seed=seed):
        words = (*path, f"{one.opts[0]}={value}") if one.opts[0].startswith("-") else (*path, value)
        yield _command(words, "either", is_drawn=True)
    for words in (("no-such-command",), ("train", "--no-such-option"), ("import", "n" * 5_000), ("import", "/etc"),
                  ("import", "s3://bucket/data"), ("export", studio.results.subset, "subset-csv", "demo"),
                  ("answers", "import", "/dev/zero"), ("train", "--lr", "nan")):  # fmt: skip
        yield _command(words)
    yield from _specs(studio, seed)
    yield from _settings(seed)
    for given in ({"SLIM_THREADS": "0"}, {"SLIM_LEASE_S": "nan"}, {"SLIM_REDIS_URL": "garbage"}):
        for start in ([sys.executable, "-m", "workers"], dashboard(free_port())):
            yield Case(
                f"{start[2:4]} {given}", lambda studio, start=start, given=given: program(studio, start, **given)
            )
    beyond = dashboard(free_port(), "0.0.0.0")
    yield Case("dashboard beyond this machine without sign-in", lambda studio: program(studio, beyond))


def commands(of: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of each, from the innermost groups on."""
    of = of or typer.main.get_command(app)
    for name, part in getattr(of, "commands", {}).items():
        yield from commands(part, (*path, name))
    if not hasattr(of, "commands"):
        yield path, of


def _is_beyond(path: tuple[str, ...], one: Any) -> bool:
    """Any text is a good name, and a folder in which a demo set is then drawn for half a minute."""
    return one.opts[0] in BEYOND_A_CASE or (path == ("demo",) and not one.opts[0].startswith("-"))


def _command(words: tuple[str, ...], expected: Expected = "refused", *, is_drawn: bool = False) -> Case:
    def send(studio: Studio) -> Outcome:
        return slim(studio, *(word.replace("\x00", "") for word in words))

    return Case(" ".join(words)[:100], send, expected, drawn=is_drawn)


def _specs(studio: Studio, seed: int) -> Iterator[Case]:
    good = {"kind": "train", "dataset": studio.results.dataset, "model": "small-resnet", "epochs": 0}
    texts = ["", "[]", "5", "null", "{}", "[" * 200_000 + "]" * 200_000, '{"a":' * 50_000 + "1" + "}" * 50_000,
             '{"kind": ' + "9" * 5_000 + "}", '{"kind": "train", "lr": NaN}', '{"kind": "\\ud800"}']  # fmt: skip
    odd: list[dict[str, Any]] = [{"name": "x" * 20_000_000}, {"epochs": 10**400}, {"checkpoint": "/etc/shadow"},
                                 {"model": "x:y"}, {"mean": [1, 2]}]  # fmt: skip
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    junk = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
    names = st.sampled_from(["dataset", "model", "lr", "mean", "seed", "subset", "objective_options"])
    fields = drawn(st.dictionaries(names, junk, min_size=1), 40, of_seed=seed)
    for text in [*texts, *(json.dumps(good | given) for given in [*odd, *fields])]:
        content = text.encode("utf-8", "surrogatepass")
        yield Case(f"spec {text[:80]}", _submitting(content))


def _submitting(content: bytes) -> Callable[[Studio], Outcome]:
    return lambda studio: slim(studio, "submit", "--spec", "-", stdin=content)


def _settings(seed: int) -> Iterator[Case]:
    """What a number, a switch or an address cannot be, of each; a few odd ones are good."""
    texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=20)
    for name, field in Settings.model_fields.items():
        if field.annotation in (int, float, bool):
            values = ["abc", "nan", "1e99", ""]
        else:
            values = (
                ["garbage", "://", "file:///etc/passwd"] if name.endswith("_url") else ["/proc/nothing", "n" * 5_000]
            )
        for value in [*values, *drawn(texts, 2, of_seed=seed)]:
            yield Case(
                f"{name}={value[:40]!r}",
                lambda studio, name=name, value=value: slim(studio, "datasets", **{f"SLIM_{name.upper()}": value}),
                "refused" if value in ("abc", "nan", "1e99") else "either",
                drawn=value not in values,
            )
