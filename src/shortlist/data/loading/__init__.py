"""Files and frames into the tables of a store: stage, check against the catalogue, write."""
