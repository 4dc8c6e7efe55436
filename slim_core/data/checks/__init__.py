"""Checks of what an importer has read: from its draft to a table, and what the table's counts tell.

Public: build (build_table), counts (check_table), splits (SPLIT_WORDS).
"""
