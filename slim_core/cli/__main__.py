"""``python -m slim_core.cli``: the same as ``slim``."""

from slim_core.cli import main

main()
