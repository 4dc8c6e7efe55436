"""What compose.yaml describes, as real processes: its commands, its environment, its checks; hosts and folders aside.

Containers give each service a name and a folder; here the names become ports of this machine and the folders those of
the caller. Who restarts a service here does what Docker would do, which is told to by ``restart: unless-stopped``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.processes import ended_with, free_port
from slim_core.settings import Settings

ROOT = Path(__file__).parents[2]


@dataclass
class Topology:
    """The services of compose.yaml on this machine. The database is started by the caller, who names its URL."""

    folder: Path
    database: str  # URL; empty: compose's own, at ``database_port``
    stack: ExitStack  # ends the processes
    more: Mapping[str, str] = field(default_factory=dict)  # variables of the app and the workers, beside compose's
    home: Path | None = None  # SLIM_HOME; None: a folder in ``folder``
    database_port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("REDIS_PASSWORD", "POSTGRES_PASSWORD")}
        self.services: dict[str, Any] = yaml.safe_load(self._filled((ROOT / "compose.yaml").read_text()))["services"]
        (self.folder / "redis").mkdir()

    def environment(self, service: str) -> dict[str, str]:
        """Of a service; the names of the other containers are this machine's, and their folders the caller's."""
        given = {name: str(value) for name, value in self.services[service]["environment"].items()}
        for name, value in given.items():
            moved = value.replace("@redis:6379", f"@127.0.0.1:{self.redis_port}")
            given[name] = moved.replace("@database/", f"@127.0.0.1:{self.database_port}/")
        ours = {"SLIM_HOME": str(self.home or self.folder / "home"), "SLIM_DATA_ROOTS": str(self.folder / "images")}
        ours |= {"SLIM_DATABASE_URL": self.database} if self.database else {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIM_", "STREAMLIT_"))}
        return kept | given | {name: value for name, value in ours.items() if name in given} | dict(self.more)

    def start(self, service: str, *options: str, name: str = "") -> subprocess.Popen[bytes]:
        """Its command, or that of the image; it ends with the stack, in the time that compose gives it."""
        with (self.folder / f"{name or service}.log").open("ab") as log:
            process = subprocess.Popen(
                [*on_this_machine(self.services[service].get("command") or command_of_the_image()), *options],
                cwd=ROOT, env=self.environment(service), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return ended_with(self.stack, process, self.grace_s(service))

    def start_redis(self) -> subprocess.Popen[bytes]:
        """Redis, on its port of this machine."""
        at = ("--port", str(self.redis_port), "--dir", str(self.folder / "redis"), "--bind", "127.0.0.1")
        return self.start("redis", *at)

    def start_app(self) -> subprocess.Popen[bytes]:
        """The dashboard, which only this machine reaches, as by the port that compose publishes."""
        return self.start("app", "--server.address=127.0.0.1", "--server.port", str(self.port))

    def grace_s(self, service: str) -> float:
        """Seconds that a service may take to end."""
        return seconds(self.services[service].get("stop_grace_period", "10s"))

    def is_healthy(self, service: str, *options: str, **variables: str) -> bool:
        """What its own check says."""
        kind, program, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        checked = subprocess.run(
            on_this_machine([program, *options, *words]), env=self.environment(service) | variables, capture_output=True
        )
        return checked.returncode == 0

    def redis_is_healthy(self, **variables: str) -> bool:
        """Whether Redis answers at its port."""
        return self.is_healthy("redis", "-p", str(self.redis_port), **variables)

    def settings(self) -> Settings:
        """What a worker reads."""
        given = self.environment("worker")
        lease = {"lease_s": float(given["SLIM_LEASE_S"])} if "SLIM_LEASE_S" in given else {}
        return Settings(
            home=given["SLIM_HOME"], data_roots=(given["SLIM_DATA_ROOTS"],), database_url=given["SLIM_DATABASE_URL"],
            redis_url=given["SLIM_REDIS_URL"], **lease,
        )  # fmt: skip

    def _filled(self, text: str) -> str:
        """With the values of .env in place of ${NAME:?...}."""
        values = self.passwords | {"DATA_DIR": str(self.folder / "images")}
        return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: values[found[1]], text)


def command_of_the_image() -> list[str]:
    """CMD of the Dockerfile."""
    (line,) = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")]
    command: list[str] = json.loads(line.removeprefix("CMD "))
    return command


def on_this_machine(command: list[str]) -> list[str]:
    """With this Python in place of the image's."""
    first, *rest = command
    return {"python": [sys.executable], "streamlit": [sys.executable, "-m", "streamlit"]}.get(first, [first]) + rest


def seconds(period: str) -> float:
    """Of a period as compose writes it: "40s"."""
    return float(period.removesuffix("s"))
