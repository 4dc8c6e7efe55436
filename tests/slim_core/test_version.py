"""Which code a run was done by."""

from __future__ import annotations

from slim_core import version
from slim_core.store.schema import HEAD
from slim_core.version import code_version, release


def test_the_version_is_the_release_and_the_commit():
    assert release().endswith(f"/{HEAD}") and release().partition("/")[0] == version.package_version("slim-studio")
    assert code_version().partition(" ")[0] == release() and len(code_version()) <= 80
