"""Train: submit a training and watch it."""
