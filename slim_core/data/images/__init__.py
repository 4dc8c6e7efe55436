"""Pixels: safe decoding, the one evaluation geometry of images, masks and maps, heat maps over pictures.

Image, mask and map speak of the same pixels because all three go through ``ImageTransform`` (METHOD S1).

Public: codec (open_image, image_size, encode, ImageTransform, load_pixels), heat (heat_map, overlay).
"""
