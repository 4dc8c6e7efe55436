"""The forms of data sets, one a file: each finds its metadata and reads it into a draft (data.draft.Importer)."""
