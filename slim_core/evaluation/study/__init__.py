"""What a study found: its entries as tables of means and paired intervals, and these as text and as a page.

Public: summary (Result), text (to_markdown, to_latex, to_csv, to_json), page (render).
"""
