"""Two stages: several models retrieve candidates, and a ranker orders them."""
