"""`make bench` runs every benchmark, and each as it can be called."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = re.search(r"^BENCHMARKS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()


class AskedError(Exception):
    """Raised in place of the measuring."""


@pytest.mark.parametrize("name", NAMES)
def test_each_takes_the_file_of_its_result_and_asks_for_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_folder = (ROOT / "benchmarks" / name).is_dir()
    module = importlib.import_module(f"benchmarks.{name}.__main__" if is_folder else f"benchmarks.{name}")
    parse = argparse.ArgumentParser.parse_args

    def asked(parser: argparse.ArgumentParser, *_: object) -> None:
        assert parse(parser, ["--json", "result.json"]).json == Path("result.json")
        raise AskedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", asked)
    with pytest.raises(AskedError):
        module.main()


def test_all_that_write_a_result_are_among_them_or_measured_by_one_of_them() -> None:
    programs = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "benchmarks").glob("*/__main__.py")]
    texts = {(one.parent if one.stem == "__main__" else one).stem: one.read_text() for one in programs}
    writing = {name for name, text in texts.items() if '"--json"' in text}
    measured = {name for name in writing if any(f"from benchmarks.{name} import measure" in texts[by] for by in NAMES)}
    assert writing - measured == set(NAMES)
