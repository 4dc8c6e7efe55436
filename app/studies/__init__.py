"""Studies: methods over data sets, seeds and annotators, in one table."""
