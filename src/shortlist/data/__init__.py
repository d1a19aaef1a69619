"""Tables in, a Dataset out. SQL lives here and nowhere else."""
