"""The HTTP service: lists from bundles for other programs, and a page for people."""
