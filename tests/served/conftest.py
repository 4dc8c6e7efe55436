"""What the tests of services share: a database of their own on the tests' PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from benchmarks.postgres import new_database

POSTGRES = os.environ.get("SLIM_TEST_POSTGRES_URL")
needs_postgres = pytest.mark.skipif(not POSTGRES and "CI" not in os.environ, reason="no PostgreSQL")


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database; nobody has migrated it."""
    assert POSTGRES, "SLIM_TEST_POSTGRES_URL names no PostgreSQL server, which CI must have"
    with new_database(POSTGRES, f"slim_served_{secrets.token_hex(4)}") as url:
        yield url
