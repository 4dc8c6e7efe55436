"""What finished runs found, read once and kept: predictions, comparisons, scores, spaces; and where each is seen."""
