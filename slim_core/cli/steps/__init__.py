"""One step of the loop a command, with an option for each setting of its spec; and any step from its spec."""
