"""Curate: from answers to a small, balanced subset."""
