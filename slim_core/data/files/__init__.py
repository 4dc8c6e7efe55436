"""The files of a data set on disk: whether images can be used, which are left out, and which have changed since."""
