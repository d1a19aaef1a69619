"""From scores to lists: queries, rules, ranking, results."""
