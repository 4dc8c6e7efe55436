"""The pieces of the Activity page."""
