"""The path below which browsers find the dashboard: ``server.baseUrlPath``, as behind a proxy with other things, too.

Streamlit puts its own addresses there and leaves those of an app at the root, where such a proxy does not look.
"""

from __future__ import annotations

_base = ""  # or "/slim"


def serve_below(path: str) -> None:
    """Called once, before any page is imported: "slim" or "/slim/"; "" is the root."""
    global _base
    _base = f"/{inner}" if (inner := path.strip("/")) else ""


def below(path: str) -> str:
    """A path of ours, which begins with "/", as a browser asks for it."""
    return _base + path


def without(path: str) -> str:
    """A path that was asked for, as ours are written; as it is where it is of somewhere else."""
    return path.removeprefix(_base) if path.startswith(f"{_base}/") else path
