"""Annotate: campaigns, the annotator, agreement, and what the answers do."""
