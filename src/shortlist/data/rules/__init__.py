"""Rules over the columns of a table, such as ``year >= 1990``: their text, and which rows obey."""
