"""Routes that several pages use: the guard of all of them, our own files, and images under attention maps."""
