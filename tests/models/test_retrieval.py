from __future__ import annotations

from functools import partial

from shortlist.models.towers.model import Retrieval
from shortlist.testing import ModelContract

SMALL = {"embedding_size": 8, "epochs": 12, "batch_size": 64, "learning_rate": 0.05}


class TestRetrieval(ModelContract):
    model = partial(Retrieval, **SMALL)
    user_is_history = False  # features count besides


class TestOfHistories(ModelContract):
    model = partial(Retrieval, **SMALL, features=False, biases=False)


class TestDeep(ModelContract):
    model = partial(
        Retrieval,
        **SMALL,
        user_ids=True,
        layers=(16,),
        normalize=True,
        temperature=0.2,
        hard_negatives=2,
    )
    user_is_history = False
