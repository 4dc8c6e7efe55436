"""Training: one loop for every objective, exactly resumable, and the last layer alone. Loads torch where it is used.

Public: loop (train, TrainResult), config (TrainConfig), sampling (epoch_order), patience (has_converged), validation
(validation_metrics), resume (Checkpoints), last_layer (REFITS), objectives (OBJECTIVES).
"""
