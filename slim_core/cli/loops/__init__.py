"""The loop as a whole: run at once or in a study over sets and seeds, compared, and taken along."""
