"""The cases, one file a kind of input: ``cases(studio, seed)``."""
