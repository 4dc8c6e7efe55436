"""What README.md and docs/ name is there: headings, files, settings, commands of slim, and functions of slim_core."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import slim_core
from slim_core.cli.wiring import app
from slim_core.data.importers.csv_table import BOX_NAMES, COMMON_NAMES
from slim_core.settings import Settings
from slim_core.store import home

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))  # what is named there was so when they were made
BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
SLIM: Any = typer.main.get_command(app)
SLIM.commands = {name: getattr(command, "whole", command) for name, command in SLIM.commands.items()}


def anchors(page: Path) -> set[str]:
    """Those of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: page.stem)
def test_each_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_each_page_is_found_from_the_readme() -> None:
    found, new = set[Path](), {ROOT / "README.md"}
    while new:
        found |= new
        named = {(page.parent / link.partition("#")[0]).resolve() for page in new for link in links(page)}
        new = {page for page in named if page.suffix == ".md"} - found
    assert set(PAGES) <= found


def test_each_source_file_that_a_page_names_is_there() -> None:
    folders = ("app", "slim_core", "workers", "tests", "benchmarks", ".ci", "docs")
    there = {f"/{path.relative_to(ROOT).as_posix()}" for folder in folders for path in (ROOT / folder).rglob("*.*")}
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`([\w./]+\.(?:py|js|css))(?:::\w+)?`", page.read_text())
    }
    assert len(named) > 100, "the search finds some"
    assert not [(page, name) for page, name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)]


def test_each_setting_is_described_and_nothing_else_is() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`SLIM_[^|]+) \|", text, re.MULTILINE)
    described = [name for row in rows for name in re.findall(r"SLIM_\w+", row)]
    assert sorted(described) == sorted(f"SLIM_{name.upper()}" for name in Settings.model_fields)


def test_the_columns_of_a_table_are_described_as_the_import_reads_them() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text().partition("| column | holds |")[2].partition("\n\n")[0]
    cells = [row.split(" | ")[0] for row in text.splitlines()]
    described = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    by_itself = [role for role, names in (COMMON_NAMES | BOX_NAMES).items() if role in names]
    assert sorted(described) == sorted(by_itself)


def test_each_file_of_a_home_is_described() -> None:
    text = (ROOT / "docs" / "operations.md").read_text().partition("## Files in SLIM_HOME")[2]
    described = {name.partition("/")[0] for row in text.splitlines() for name in re.findall(r"`([^`]+)`", row)}
    assert {*home.FOLDERS, *home.FILES} <= described


def commands_of_pages() -> Iterator[tuple[str, str]]:
    """(page, line) of each line of a terminal, and of each command in a sentence."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks, rest = "\n".join(BLOCK.findall(text)), BLOCK.sub("", text)
        lines = [part.strip() for line in blocks.splitlines() for part in line.partition("#")[0].split("&&")]
        lines += [line.strip() for line in re.findall(r"^    (slim .+)$", rest, re.MULTILINE)]
        lines += re.findall(r"`(slim [a-z][^`]*)`", rest)
        yield from ((page.name, line) for line in lines if line.startswith("slim "))


def examples(command: Any = SLIM, path: str = "slim") -> Iterator[tuple[str, str]]:
    """(command, example) of each that the help of a command ends with."""
    for name, part in getattr(command, "commands", {}).items():
        yield from examples(part, f"{path} {name}")
    if not hasattr(command, "commands"):
        assert "Example: " in (command.epilog or ""), f"{path} --help ends with no example"
        yield from ((path, line) for line in command.epilog.partition("Example: ")[2].split(", or "))


def parse(line: str) -> None:
    """Read a line as the shell and slim do, and do nothing; one without arguments only names its command."""
    command, words = SLIM, shlex.split(line)[1:]
    while hasattr(command, "commands") and words:
        command = command.commands[words.pop(0)]
    if words and words != ["--help"]:
        command.make_context("slim", words)


@pytest.mark.parametrize(("page", "line"), sorted(set(commands_of_pages())))
def test_each_command_of_a_page_is_one(page: str, line: str) -> None:
    parse(re.sub(r"\[(--[a-z-]+)\]", r"\1", line))


def test_the_help_of_each_command_ends_with_an_example_of_it() -> None:
    for command, line in examples():
        assert line.startswith(f"{command} ") or line == command
        parse(line)


def test_each_call_in_the_loop_of_the_docs_fits_its_function() -> None:
    tree = ast.parse((ROOT / "docs" / "loop.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and "slim_core." in ast.unparse(node.func)]
    for call in calls:
        name, named = ast.unparse(call.func), [each.arg for each in call.keywords]
        if name.count(".") == 1:
            function = getattr(slim_core, name.partition(".")[2])
            inspect.signature(function).bind(*call.args, **dict.fromkeys(filter(None, named)))
    assert len(calls) > 10
