"""The terms of scoring: profiles in, scores in one of three shapes out, and the best of them."""
