"""Overview: what the model got wrong, why, and whether it is better now."""
