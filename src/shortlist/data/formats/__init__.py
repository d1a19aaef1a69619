"""Which files there are, told by name and header, and what they look like inside."""
