from functools import partial

from shortlist.models.ease import EASE
from shortlist.testing import ModelContract


class TestEASE(ModelContract):
    model = partial(EASE, regularization=1.0)
