"""Training: one loop for every objective, exactly resumable, and the last layer alone. Loads torch where it is used.

Public: loop (train, TrainResult, has_converged, validation_metrics, Checkpoints), config (TrainConfig,
TrainData, epoch_order), last_layer (REFITS), objectives (OBJECTIVES), processes (train_in_processes).
"""
