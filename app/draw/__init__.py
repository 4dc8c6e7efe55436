"""Draw: where the object of an image is, for attention scores where the data has no masks."""
