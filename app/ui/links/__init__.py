"""Ways from page to page: the pages by name, the next step, and tables whose rows open runs."""
