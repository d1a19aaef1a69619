"""Two stages: several models find candidates, a ranker orders them."""
