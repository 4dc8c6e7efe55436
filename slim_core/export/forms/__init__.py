"""A file for each form of export, with its FORM."""
