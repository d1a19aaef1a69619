"""How numbers, units and times are written in columns of text."""
