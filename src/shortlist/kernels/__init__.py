"""The compiled hot loops: arrays in, arrays out.

No classes, no input or output, no knowledge of the rest of the library; only NumPy and Numba.

============= ====================================================================================
topk          the k best items of every query, from factors, sparse products or a dense block
scores        the same scores as a dense block
ranking       where true items land in a ranking of the full catalogue
similarity    cosine neighbours of sparse rows
best          the likeness of every item to the most like of several
als           the half-steps of implicit alternating least squares
factorization what factorising a sparse matrix spends its time on
loss          the observed part of the loss of a factorisation
selection     who is a candidate and who is better: shared by topk, ranking and similarity
products      how scores are computed: shared by topk and scores
systems       small linear systems: als is made of them
vector        tiles and scans in vector instructions
four_rows     a vector against four rows, in vector instructions
threads       blocks of rows side by side
compile       how kernels are compiled
============= ====================================================================================

One rule holds for all of them: **a result depends on its row alone**. Every sum is taken in an
order that the data fixes, never by which thread, block or batch a row falls into, and every order
is total. So one row or a million, one thread or many, here or on another engine: the same bits.
"""
