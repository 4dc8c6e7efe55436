"""What the tests of services share: a database of their own on the tests' PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.postgres import new_database

POSTGRES = os.environ.get("SLIM_TEST_POSTGRES_URL")
needs_postgres = pytest.mark.skipif(not POSTGRES and "CI" not in os.environ, reason="no PostgreSQL")


@contextmanager
def new_test_database() -> Iterator[str]:
    """An empty database, which goes with the block; nobody has migrated it."""
    assert POSTGRES, "SLIM_TEST_POSTGRES_URL names no PostgreSQL server, which CI must have"
    with new_database(POSTGRES, f"slim_served_{secrets.token_hex(4)}") as url:
        yield url


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database of a test's own."""
    with new_test_database() as url:
        yield url
