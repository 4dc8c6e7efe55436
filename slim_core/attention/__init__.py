"""Where a model looks: Grad-CAM maps, attention and environment features of every image in one pass (METHOD S1).

Public: attention_pass (attention_pass, heat_maps, open_mapper), arrays (PassArrays, merge_arrays),
thumbnails (Thumbnails).
"""
