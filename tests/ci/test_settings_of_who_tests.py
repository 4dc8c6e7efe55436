"""The tests are not those of the settings of whoever runs them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = "import os, tests.conftest; print(sorted(name for name in os.environ if name.startswith(('SLIM_', 'STREAM'))))"


@pytest.mark.slow
def test_no_test_sees_the_home_or_the_database_of_who_runs_it():
    own = {
        "SLIM_HOME": "/somewhere",
        "SLIM_DATABASE_URL": "postgresql://studio@/studio",
        "SLIM_DATA_ROOTS": "/data",
        "STREAMLIT_SERVER_PORT": "8600",
        "SLIM_TEST_REDIS": "path",
        "SLIM_TEST_POSTGRES_URL": "postgresql://postgres@/postgres",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("SLIM_")}
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=others | own, capture_output=True, text=True, check=True, timeout=120
    )
    assert asked.stdout.strip() == "['SLIM_TEST_POSTGRES_URL', 'SLIM_TEST_REDIS']"
