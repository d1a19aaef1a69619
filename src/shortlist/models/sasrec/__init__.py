"""SASRec: self-attention over the history in its order."""
