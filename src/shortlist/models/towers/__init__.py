"""Two towers: retrieval, ranking, both at once, and neural collaborative filtering."""
