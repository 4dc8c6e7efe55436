"""From one run of a page to the next: parts that run alone, widgets that follow the store, visits, a lost database."""
