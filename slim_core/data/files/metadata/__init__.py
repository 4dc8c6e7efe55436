"""The metadata files of a data set: tables and JSON, read as they stand, or refused in a sentence.

Public: tables (read_table, read_head, header_of), json_files (read_json), own_file (require_own_file, noted), limits.
"""
