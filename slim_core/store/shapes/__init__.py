"""Shapes: what people draw on images, and how it is carried to another version of the data.

Public: rows (Shape), shapes (Shapes), carried, later (LaterDrawings).
"""
