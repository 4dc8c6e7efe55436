"""Demo data sets, one generator a file: real pictures with a known shortcut, and the true masks."""
