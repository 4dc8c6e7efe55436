"""A run as the command that queues the same step again."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import Spec


def command(spec: Spec) -> str:
    """The command line that queues this spec: ``slim submit`` with the fields that are not left at their defaults.

    All of them where what is left out would come back as something else: a recipe proposes by the model, too.
    """
    fields = {"kind": spec.kind, **spec.model_dump(mode="json", exclude_defaults=True)}
    if parse_spec(fields) != spec:
        fields = {"kind": spec.kind, **spec.model_dump(mode="json")}
    return shlex.join(["slim", "submit", "--spec", json.dumps(fields), "--queue"])


def in_any_shell(line: str, home: Path) -> str:
    """A command line that runs in a plain shell from any folder: by the path of ``slim``, with this SLIM_HOME."""
    slim = Path(sys.executable).with_name("slim")
    called = shlex.quote(str(slim)) if slim.is_file() else f"{shlex.quote(sys.executable)} -m slim_core.cli"
    return f"SLIM_HOME={shlex.quote(str(home.resolve()))} {called}{line.removeprefix('slim')}"
