"""The HTTP service: recommendations from bundles for other programs, and a web page."""
