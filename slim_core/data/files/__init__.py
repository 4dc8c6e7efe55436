"""The files of a data set on disk: its metadata, whether images can be used, which are left out or have changed."""
