"""Space: every image as a point near those of which the model sees the same."""
