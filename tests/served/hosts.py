"""Hosts with addresses of their own: network namespaces of Linux, joined by a bridge to this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.s3_server import Gate

HERE = "127.0.0.1"


def _allowed() -> bool:
    unshare = shutil.which("unshare")
    return bool(shutil.which("ip") and unshare and not subprocess.run([unshare, "-n", "true"]).returncode)


needs_hosts = pytest.mark.skipif(os.geteuid() != 0 or not _allowed(), reason="no network namespaces, or no iproute2")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass(frozen=True)
class Host:
    """One of them. It reaches this machine at ``server``, and nothing at 127.0.0.1 but itself."""

    name: str
    link: str  # its end at the bridge
    server: str

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command, run there, where the machine has the host's name."""
        named = ["unshare", "--uts", "sh", "-c", f'echo {self.name} > /proc/sys/kernel/hostname; exec "$@"', "sh"]
        return ["ip", "netns", "exec", self.name, *named, *command]

    def as_seen(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Variables that name addresses of this machine, as they are from there."""
        return {name: value.replace(HERE, self.server) for name, value in environment.items()}

    def cut(self) -> None:
        """Its packets get lost from now on, in both directions: no reset, no refusal."""
        _ip("link", "set", self.link, "down")

    def join(self) -> None:
        """The cable is in again."""
        _ip("link", "set", self.link, "up")


@contextmanager
def hosts(*names: str, ports: Sequence[int]) -> Iterator[dict[str, Host]]:
    """New hosts by name, which reach these ports of 127.0.0.1."""
    tag = secrets.token_hex(3)
    net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
    bridge, server = f"slim{tag}", f"{net}.1"
    with ExitStack() as stack:
        _ip("link", "add", bridge, "type", "bridge")
        stack.callback(_ip, "link", "del", bridge)
        _ip("address", "add", f"{server}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        made = {name: Host(f"slim-{tag}-{name}", f"slim{tag}{at}", server) for at, name in enumerate(names)}
        for at, host in enumerate(made.values()):
            _ip("netns", "add", host.name)
            stack.callback(_ip, "netns", "del", host.name)
            _ip("link", "add", host.link, "type", "veth", "peer", "eth0", "netns", host.name)
            _ip("link", "set", host.link, "master", bridge, "up")
            for words in (f"address add {net}.{at + 2}/24 dev eth0", "link set eth0 up", "link set lo up"):
                _ip("-n", host.name, *words.split())
        for port in ports:
            gate = Gate(port, server, port)
            gate.open()
            stack.callback(gate.shut)
        yield made
