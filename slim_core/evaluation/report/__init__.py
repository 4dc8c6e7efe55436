"""The comparison as one HTML file that opens without a server: ``write(collect(store, evaluations), path)``."""
