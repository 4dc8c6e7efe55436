"""Data: register a data set, see what the import found."""
