"""Data sets: from a folder to a registered data set, and what people change of one that is registered."""
