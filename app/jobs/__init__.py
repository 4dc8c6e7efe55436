"""Jobs: what runs, what waits, who works."""
