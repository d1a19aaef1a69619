from __future__ import annotations

from functools import partial

from shortlist.models.towers.model import MultiTask, Ranking
from shortlist.testing import ModelContract

SMALL = {"embedding_size": 8, "epochs": 12, "batch_size": 64, "learning_rate": 0.02}


class TestRanking(ModelContract):
    model = partial(Ranking, **SMALL, head_layers=(16,), rejection=False)
    user_is_history = False


class TestCrossed(ModelContract):
    model = partial(
        Ranking, **SMALL, head_layers=(8,), cross_layers=2, cross_rank=3, rejection=False
    )
    user_is_history = False


class TestLists(ModelContract):
    model = partial(Ranking, **SMALL, head_layers=(), loss="listmle", rejection=False)
    user_is_history = False


class TestMultiTask(ModelContract):
    model = partial(MultiTask, **SMALL, head_layers=(8,))
    user_is_history = False
