"""What a column is about, by its name and its values: roles, titles, labels."""
