"""What a person chooses, kept in the address or the session: a data set, a run, a filter, images, a page of a list."""
