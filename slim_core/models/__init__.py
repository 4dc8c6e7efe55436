"""Networks: built by name, saved and loaded, inspected, and run on images. Loads torch only where a name is used.

Public: build (build, load_model, list_models), model (Model, save_model, load_checkpoint), checkpoints (load_weights),
target_layer (inspect_network), inference (Pixels, predict), devices (open_device), names (check_model).
"""
