from functools import partial
from shortlist.models.factorization import MatrixFactorization
from shortlist.testing import ModelContract
S=dict(embedding_size=8,epochs=60)
class TestRegularized(ModelContract):
    model=partial(MatrixFactorization,**S)
    user_is_history=False
class TestObserved(ModelContract):
    model=partial(MatrixFactorization,loss="observed",biases=True,**S)
    user_is_history=False
class TestSoftmax(ModelContract):
    model=partial(MatrixFactorization,loss="softmax",**S)
