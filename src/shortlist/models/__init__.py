"""Model families: one file or one package each. A model learns from a Dataset and scores items."""
