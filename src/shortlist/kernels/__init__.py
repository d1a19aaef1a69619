"""The compiled hot loops: functions over arrays, which know nothing of the rest of the library.

Only NumPy, Numba and llvmlite are imported here, and Numba nowhere else.

============= ====================================================================================
topk          the k best items of every query, from factors, sparse products or a dense block
scores        the same scores as a dense block, and those of given items with their ranks in a list
similarity    cosine neighbours of sparse rows, and the users that items have in common
diversity     lists picked for variety among candidates
als           the half-steps of implicit alternating least squares, and their loss
als_rounds    the same in rounds, for observations that lie in several processes
products      Gram matrices of shards, and dense factors times small matrices, in a fixed order
factorization the gradient of matrix factorisation over stored cells
ridge         ridge regressions in float64: of rows, and of items on some items before them
sampling      negatives for training examples
embeddings    optimiser steps on the rows of an embedding table that a batch uses

types         the arrays and tuples of arrays that kernels take
checks        the check of every argument of a public kernel
selection     candidates and the order of scores: shared by topk, scores and similarity
linalg        products of packed and sparse matrices, small systems: shared by most kernels
vector        tiles, rows and scans in vector instructions
threads       blocks of rows side by side
compile       how kernels are compiled
============= ====================================================================================

A public kernel is a Python function: it checks its arguments, allocates the result, and runs a
private function marked ``@kernel`` over blocks of rows.

**A result depends on its row alone.** Every sum is taken in an order that the data fixes, never by
which thread, block or batch a row falls into, and every order of items is total. So one row or a
million, one thread or many, here or on another engine: the same bits.
"""
