"""From scores to ranked lists: queries, rules, top-k, results, explanations."""
