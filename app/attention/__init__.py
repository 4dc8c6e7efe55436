"""Attention: where a model looks, image by image."""
