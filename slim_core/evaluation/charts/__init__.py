"""Every chart of results, for the pages and the report alike: DataFrame -> plotly Figure, in one palette."""
