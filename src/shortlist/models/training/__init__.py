"""The training loop that all models trained by gradient share."""
