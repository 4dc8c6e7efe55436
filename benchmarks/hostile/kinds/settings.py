"""Environment variables: each setting with values that it cannot have, for the command line and for the services."""

from __future__ import annotations

import sys
from collections.abc import Callable

from hypothesis import strategies as st

from benchmarks.dashboard import command
from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import program, slim
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio
from benchmarks.processes import free_port

DRAWN = 24
COUNTS = ("SLIM_MAX_PIXELS", "SLIM_JOB_TIMEOUT_S", "SLIM_SHARD_IMAGES", "SLIM_THREADS")
SECONDS = ("SLIM_LEASE_S", "SLIM_RENEW_S", "SLIM_STOP_GRACE_S", "SLIM_HUNG_AFTER_S")
NO_COUNT = ("abc", "0", "-1", "1.5", "nan", "1e99", "")
NO_TIME = ("abc", "nan", "inf", "-1", "1e99", "")
URLS = ("garbage", "://", "http://x", "redis", "file:///etc/passwd", "postgresql://:0", "javascript:alert(1)")
SWITCHES = ("SLIM_ALLOW_WITHOUT_SIGN_IN", "SLIM_BEHIND_PROXY")
SWITCH_VALUES = ("maybe", "2", "tru e", "nan")


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # as every kind
    """Wrong values are one sentence each; a few odd ones are good."""
    made = [_case(name, value) for name in COUNTS for value in NO_COUNT]
    made += [_case(name, value) for name in SECONDS for value in NO_TIME]
    made += [_case(name, value) for name in ("SLIM_REDIS_URL", "SLIM_DATABASE_URL") for value in URLS]
    made += [_case(name, value) for name in SWITCHES for value in SWITCH_VALUES]
    made += [
        _case("SLIM_METRICS_TOKEN", "short"),
        _case("SLIM_HOME", "/proc/nothing"),
        _case("SLIM_HOME", "/dev/null"),
        _case("SLIM_HOME", "n" * 5_000),
        _case("SLIM_DATABASE_URL", "sqlite:////proc/nothing/slim.db"),
        _case("SLIM_DATABASE_URL", "postgresql+psycopg://slim:secret-word@127.0.0.1:1/slim"),
        _case("SLIM_DATA_ROOTS", "", "either"),
        _case("SLIM_DATA_ROOTS", ":::", "either"),
        _case("SLIM_NOTHING", "x", "accepted"),
    ]
    made += [_case(name, text, "either", is_drawn=True) for name, text in _drawn(seed)]
    return [*made, *_services()]


def _drawn(seed: int) -> list[tuple[str, str]]:
    names = st.sampled_from([*COUNTS, *SECONDS, *SWITCHES, "SLIM_REDIS_URL", "SLIM_DATABASE_URL"])
    texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=20)
    return drawn(st.tuples(names, texts), DRAWN, of_seed=seed)


def _services() -> list[Case]:
    """The dashboard and the workers do not start, and say why."""
    wrong = ({"SLIM_THREADS": "0"}, {"SLIM_LEASE_S": "nan"}, {"SLIM_REDIS_URL": "garbage"})
    made = [Case(f"workers with {given}", _starting([sys.executable, "-m", "workers"], given)) for given in wrong]
    made += [Case(f"dashboard with {given}", _starting_dashboard(given)) for given in wrong]
    beyond = ["--server.address", "0.0.0.0"]
    return [*made, Case("dashboard beyond this machine without sign-in", _starting_dashboard({}, *beyond))]


def _case(name: str, value: str, expected: Expected = "refused", *, is_drawn: bool = False) -> Case:
    return Case(
        f"{name}={value[:60]!r}", lambda studio: slim(studio, "datasets", **{name: value}), expected, drawn=is_drawn
    )


def _starting(command: list[str], given: dict[str, str]) -> Callable[[Studio], Outcome]:
    return lambda studio: program(studio, command, **given)


def _starting_dashboard(given: dict[str, str], *options: str) -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        return program(studio, [*command(free_port()), *options], **given)

    return send
