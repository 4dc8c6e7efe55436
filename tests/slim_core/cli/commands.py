"""What the tests of the command line share."""

from __future__ import annotations

import pytest

from slim_core.cli import main


def slim(*arguments: object) -> int:
    """Exit code of a command."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    except KeyboardInterrupt:  # which would end all tests
        pytest.fail("the command has not answered Ctrl-C")
    return 0


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, as one line."""
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())
