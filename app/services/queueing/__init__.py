"""What one press queues: pipelines, evaluations, retrainings, new scores; its defaults, and how long it will take."""
