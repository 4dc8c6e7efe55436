"""How ``forking_agent`` is started and known by, for whoever is not to import torch."""

from __future__ import annotations

import sys

MODULE = "tests.slim_core.training.processes.forking_agent"
COMMAND = (sys.executable, "-m", MODULE)
