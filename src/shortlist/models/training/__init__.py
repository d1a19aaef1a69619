"""The training loop of all models trained by gradient, and its checkpoints."""
