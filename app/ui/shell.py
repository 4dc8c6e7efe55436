"""A command to copy. Where slim and its home are on the server is for admins: others read it as it is called there."""

from __future__ import annotations

import streamlit as st

from app import access, session
from slim_core.runs.details import in_any_shell
from slim_core.settings import settings


def machine() -> str:
    """What the machine of the dashboard is for its reader, whose own is another where people sign in."""
    return "the server" if access.signs_in() else "this machine"


def where() -> str:
    """In which terminal the command does what its page says, for a sentence."""
    return f"any terminal of {machine()}" if _knows_the_server() else "a terminal of the server, with its SLIM_HOME set"


def show(line: str) -> None:
    """``line`` begins with ``slim``."""
    st.code(in_any_shell(line, settings().home) if _knows_the_server() else line, language="bash", wrap_lines=True)


def _knows_the_server() -> bool:
    return session.viewer().may("admin")
