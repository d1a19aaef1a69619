"""Matrix factorisation, trained by gradient."""
