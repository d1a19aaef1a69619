"""Encoding tables with any ids as the arrays of a Dataset."""
