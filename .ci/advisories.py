"""Known advisories against the versions that SLIM Studio was tested with, as the package index lists them.

    python .ci/advisories.py [address of the index's JSON API]

Ends with 1 where one is found that .ci/advisories.toml does not accept. Where the index does not answer, as on a laptop
without network, one sentence says that nothing was checked.
"""

from __future__ import annotations

import json
import sys
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from packaging.version import Version

CI = Path(__file__).parent
CONSTRAINTS = CI.parent / "constraints.txt"
ACCEPTED = CI / "advisories.toml"
UNPINNED = ("torch", "torchvision")  # constraints.txt leaves them to the machine: what is installed counts
AT_ONCE = 8
TIMEOUT_S = 10.0
NAMED = 5  # packages that a sentence names


@dataclass(frozen=True)
class Advisory:
    """One against one version of a package."""

    package: str
    version: str
    ids: tuple[str, ...]  # its own, and those under which others list it
    fixed_in: tuple[str, ...]  # versions, the oldest first

    def __str__(self) -> str:
        remedy = f"install {self.fixed_in[0]} or newer" if self.fixed_in else "no version mends it yet: replace it"
        others = f" ({', '.join(self.ids[1:])})" if self.ids[1:] else ""
        return (
            f"{self.package} {self.version} has the advisory {self.ids[0]}{others}: {remedy}, "
            f"or accept it with a reason in .ci/advisories.toml."
        )


class NoAnswerError(Exception):
    """The index says nothing about a version."""


def tested(constraints: Path = CONSTRAINTS) -> dict[str, str]:
    """Package -> the version that counts."""
    lines = [line for line in constraints.read_text().splitlines() if "==" in line and not line.startswith("#")]
    found = dict(line.split("==", 1) for line in lines)
    for name in UNPINNED:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
    return found


def advisories(index: str, package: str, of: str) -> list[Advisory]:
    """What the index lists against a version.

    Raises:
        NoAnswerError: it does not know the version, or answers with something else.
        OSError: it does not answer.
    """
    try:
        with urllib.request.urlopen(f"{index}/{package}/{of}/json", timeout=TIMEOUT_S) as reply:
            listed = json.load(reply)["vulnerabilities"]
    except HTTPError as error:
        with error:
            raise NoAnswerError(f"{error.code}") from error
    except (ValueError, KeyError, TypeError) as error:  # a page to sign in at, in front of the network
        raise NoAnswerError("no JSON of an index") from error
    return [_advisory(package, of, one) for one in listed if not one.get("withdrawn")]


def _advisory(package: str, of: str, listed: Mapping[str, Any]) -> Advisory:
    ids = (listed["id"], *(one for one in listed.get("aliases") or () if one != listed["id"]))
    later = [one for one in listed.get("fixed_in") or () if Version(one) > Version(of)]
    return Advisory(package, of, ids, tuple(sorted(later, key=Version)))


def accepted(path: Path = ACCEPTED) -> dict[str, str]:
    """Id -> why it may stay."""
    table: dict[str, str] = tomllib.loads(path.read_text()).get("accepted", {})
    empty = [id for id, reason in table.items() if not reason.strip()]
    if empty:
        raise SystemExit(f"{path.name} accepts {empty[0]} without a reason: write why it does not reach SLIM Studio.")
    return table


def check(index: str, versions: Mapping[str, str], allowed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What is refused, and what could not be checked, a sentence each."""
    try:
        advisories(index, *next(iter(versions.items())))  # alone: without a network, nobody waits for the others
    except NoAnswerError:
        pass
    except OSError as error:
        return [], [f"Advisories were not checked: the package index does not answer ({error})."]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda each: _answer(index, *each), versions.items())
        answers = dict(zip(versions, found, strict=True))
    listed = [one for each in answers.values() if each is not None for one in each]
    refused = [str(one) for one in listed if not set(one.ids) & set(allowed)]
    silent = [name for name, answer in answers.items() if answer is None]
    if not silent:
        known = {id for one in listed for id in one.ids}
        refused += [f"{id} is not listed any more: remove it from .ci/advisories.toml." for id in {*allowed} - known]
    return refused, _unchecked(silent, len(answers))


def _answer(index: str, package: str, of: str) -> list[Advisory] | None:
    try:
        return advisories(index, package, of)
    except (NoAnswerError, OSError):
        return None


def _unchecked(silent: Sequence[str], n_asked: int) -> list[str]:
    if not silent:
        return []
    if len(silent) == n_asked:
        return ["Advisories were not checked: the package index lists none by version."]
    more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
    return [f"Advisories were not checked for {', '.join(silent[:NAMED])}{more}: the package index did not say."]


def usual_index() -> str:
    """The JSON API of the index that pip uses where nothing else is set."""
    from pip._internal.models.index import PyPI

    return str(PyPI.pypi_url)


def main(arguments: Sequence[str]) -> int:
    """Say what is refused and what was not checked; 1 where something is refused."""
    index = arguments[0].rstrip("/") if arguments else usual_index()
    refused, unchecked = check(index, tested(), accepted())
    sys.stderr.writelines(f"{one}\n" for one in refused)
    sys.stdout.writelines(f"{one}\n" for one in unchecked)
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
