"""Networks: built by name, saved and loaded, inspected, and run on images. Loads torch only where a name is used.

Public: build (build, load_model), model (Model, save_model, load_checkpoint, inspect_network),
checkpoints (load_weights), inference (Pixels, predict, open_device), names (check_model).
"""
