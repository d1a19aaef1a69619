from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.models.registry import load
from shortlist.models.sasrec import network
from shortlist.models.sasrec.learned import SASRecLearned
from shortlist.models.sasrec.model import SASRec
from shortlist.models.sasrec.network import FullSoftmax, SASRecTrainable
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, small_world
from shortlist.testing.worlds import World

SMALL: dict[str, Any] = {
    "embedding_size": 8, "epochs": 30, "batch_size": 16, "learning_rate": 0.02, "dropout": 0.1,
    "negatives": "all", "blocks": 2, "validation": 0.0,
}  # fmt: skip


class SequenceContract(ModelContract):
    @classmethod
    def learn(cls, world: World) -> Model[Any, Any]:
        """Learn; where all histories of a world are in one order, from random orders."""
        if world.answers:
            log = world.interactions
            times = np.random.default_rng(0).permutation(log.column("at").to_numpy())
            log = log.set_column(log.column_names.index("at"), "at", pa.array(times))
            world = replace(world, interactions=log)
        return super().learn(world)


class TestSASRec(SequenceContract):
    model = partial(SASRec, **SMALL)


@pytest.mark.slow
class TestSampledAndShort(SequenceContract):
    model = partial(SASRec, **SMALL | {"negatives": 200, "blocks": 1, "heads": 1, "max_length": 12})


# --- a naive reference ------------------------------------------------------------------------


def norm(x: Any, gain_and_bias: Any) -> Any:
    gain, bias = gain_and_bias
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * gain + bias


def naive_state(learned: SASRecLearned, items: list[int]) -> Any:
    """The last state by loops over positions and heads, in float64."""
    wide = {n: getattr(learned, n).astype(float) for n in (
        "items", "positions", "norms", "inputs", "outputs", "hidden", "back")}  # fmt: skip
    items = items[-len(wide["positions"]) :]
    depth = wide["items"].shape[1]
    width = depth // learned.heads
    x = [
        depth**0.5 * wide["items"][item] + wide["positions"][len(items) - 1 - t]
        for t, item in enumerate(items)
    ]
    for b in range(len(wide["inputs"])):
        seen = [np.append(norm(row, wide["norms"][2 * b]), 1) @ wide["inputs"][b] for row in x]
        added = []
        for t in range(len(x)):
            mixed = []
            for head in range(learned.heads):
                part = slice(head * width, (head + 1) * width)
                query = seen[t][:depth][part]
                products = [seen[s][depth:][part] @ query / width**0.5 for s in range(t + 1)]
                shares = np.exp(products) / np.exp(products).sum()
                values = [seen[s][2 * depth :][part] for s in range(t + 1)]
                mixed.append(sum(a * v for a, v in zip(shares, values, strict=True)))
            added.append(np.append(np.concatenate(mixed), 1) @ wide["outputs"][b])
        x = [row + more for row, more in zip(x, added, strict=True)]
        for t, row in enumerate(x):
            inner = np.append(norm(row, wide["norms"][2 * b + 1]), 1) @ wide["hidden"][b]
            x[t] = row + np.append(np.maximum(inner, 0), 1) @ wide["back"][b]
    return norm(x[-1], wide["norms"][-1])


def shaken(model: SASRec, seed: int = 0) -> SASRec:
    """Replace what was learned by random numbers, so that nothing is small."""
    rng = np.random.default_rng(seed)
    learned = model.learned
    parts: dict[str, Any] = {
        name: rng.standard_normal(array.shape, dtype=np.float32) / 2
        for name, array in vars(learned).items()
        if isinstance(array, np.ndarray)
    }
    return model.restore(model.data, SASRecLearned(**parts, heads=learned.heads), model.history)


@pytest.mark.parametrize(("blocks", "heads", "max_length"), [(1, 1, 50), (2, 4, 5), (3, 2, 1)])
def test_scores_against_loops(blocks: int, heads: int, max_length: int) -> None:
    data = small_world().data
    shape = {"blocks": blocks, "heads": heads, "max_length": max_length}
    model = shaken(SASRec(**SMALL | {"epochs": 1} | shape).fit(data))
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    expected = []
    for user in active:
        own = np.flatnonzero(data.user_rows == user)
        ordered = own[np.argsort(data.times[own], kind="stable")]  # type: ignore[index]
        items = data.item_rows[ordered].tolist()
        expected.append(model.learned.items.astype(float) @ naive_state(model.learned, items))
    assert_allclose(dense_scores(model, active), expected, rtol=2e-4, atol=2e-4)


def test_training_computes_the_same_states_as_scoring() -> None:
    data = small_world().data
    model = SASRec(**SMALL | {"epochs": 2, "dropout": 0.0}, max_length=6).fit(data)
    trainable = SASRecTrainable(model.config, None, data, None)
    parts = {name: torch.from_numpy(getattr(model.learned, name))
             for name, _ in trainable.named_parameters()}  # fmt: skip
    trainable.load_state_dict(parts)
    users = np.flatnonzero(data.user_counts)
    lengths = np.minimum(data.user_counts[users], 6)
    packed = trainable._packed(np.cumsum(data.user_counts)[users] - lengths, lengths)
    with torch.no_grad():
        last = trainable.states(packed, trainable.items[packed.items])[
            torch.from_numpy(np.cumsum(lengths) - 1)
        ]
    assert_allclose(last.numpy(), model.user_vectors()[users], rtol=1e-3, atol=1e-4)


def test_the_loss_is_that_of_the_next_items() -> None:
    data = small_world().data
    config = SASRec(**SMALL | {"dropout": 0.0}).config
    trainable = SASRecTrainable(config, None, data, None)
    parts = {name: value.detach().numpy() for name, value in trainable.named_parameters()}
    learned = SASRecLearned(**parts, heads=2)
    terms = []
    for user in np.flatnonzero(data.user_counts > 1):
        own = np.flatnonzero(data.user_rows == user)
        items = data.item_rows[own[np.argsort(data.times[own], kind="stable")]].tolist()  # type: ignore[index]
        pairs = [(items[:stop], items[stop]) for stop in range(1, len(items))]
        for n, (before, following) in enumerate(pairs):
            state = naive_state_at(learned, before, len(pairs) - 1 - n)
            logits = learned.items.astype(float) @ state
            terms.append(np.log(np.exp(logits).sum()) - logits[following])
    assert trainable.losses(None)["loss"].item() == pytest.approx(np.mean(terms), rel=1e-5)


def naive_state_at(learned: SASRecLearned, items: list[int], ahead: int) -> Any:
    """The state of a history that has ``ahead`` more positions after it."""
    parts = vars(learned) | {"positions": learned.positions[ahead : ahead + len(items)]}
    parts = {name: value for name, value in parts.items() if name in FIELDS}
    return naive_state(SASRecLearned(**parts), items)


FIELDS = {"items", "positions", "norms", "inputs", "outputs", "hidden", "back", "heads"}


def test_the_softmax_and_its_gradients_are_those_of_autograd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "_LOGITS", 40)  # three positions at a time
    torch.manual_seed(0)
    states, items = (torch.randn(n, 4, requires_grad=True) for n in (10, 13))
    targets = torch.randint(13, (10,))
    loss: Any = FullSoftmax.apply(states, items, targets)  # type: ignore[no-untyped-call]
    found = torch.autograd.grad(3 * loss, [states, items])
    expected = functional.cross_entropy(states @ items.T, targets)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(found, torch.autograd.grad(3 * expected, [states, items]), strict=True):
        assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def test_drawn_items_stand_for_the_catalogue() -> None:
    data = small_world().data
    config = SASRec(**SMALL | {"dropout": 0.0}).config
    full, drawn = (SASRecTrainable(config, count, data, None) for count in (None, 4000))
    for trainable in (full, drawn):
        with torch.no_grad():
            trainable.items.mul_(30)
        trainable.start_epoch([1])
    assert drawn.losses(None)["loss"].item() == pytest.approx(
        full.losses(None)["loss"].item(), rel=0.02
    )


def test_a_step_on_the_items_in_use_is_that_on_all_items(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = small_world().data
    settings = SMALL | {"negatives": 5, "dropout": 0.0, "epochs": 6, "batch_size": 4}
    dense = SASRec(**settings).fit(data)
    monkeypatch.setattr(network, "_SPARSE", data.n_items)
    sparse = SASRec(**settings).fit(data)
    for name in FIELDS - {"heads", "inputs"}:  # biases of keys change nothing: noise alone
        assert_allclose(
            getattr(sparse.learned, name), getattr(dense.learned, name), rtol=0.01, atol=1e-3
        )
    assert not np.array_equal(sparse.item_vectors(), dense.item_vectors())  # another order of sums
    SASRec(**settings | {"epochs": 2}).fit(data, checkpoint=tmp_path / "state")
    resumed = SASRec(**settings).fit(data, checkpoint=tmp_path / "state")
    assert_array_equal(resumed.item_vectors(), sparse.item_vectors())
    monkeypatch.setattr(network, "_SPARSE", data.n_items + 1)
    assert_array_equal(SASRec(**settings).fit(data).item_vectors(), dense.item_vectors())


# --- what it learns ---------------------------------------------------------------------------


def rounds(n_items: int = 12, n_users: int = 40) -> Dataset:
    """Everybody goes round the same circle of items, each from a start of their own."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        start, length = rng.integers(n_items), rng.integers(4, 8)
        rows += [(user, int((start + n) % n_items), n) for n in range(length)]
    users, items, at = zip(*rows, strict=True)
    return Dataset.from_tables(pa.table({"user_id": users, "item_id": items, "at": at}), time="at")


def test_the_order_of_the_history_counts() -> None:
    model = SASRec(**SMALL | {"epochs": 120}).fit(rounds())
    histories = [[3, 4, 5], [5, 4, 3], [10, 11], [8]]
    queries = [Query(history=history) for history in histories]
    assert model.recommend(queries=queries, k=1, exclude_seen=False).column("item_id") == [
        6, 4, 0, 9,
    ]  # fmt: skip
    losses = model.history.column("loss").to_pylist()
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("negatives", [None, 64])
def test_half_precision_learns_the_order_too(negatives: int | None) -> None:
    settings = SMALL | {"epochs": 120, "negatives": negatives}
    model = SASRec(**settings, precision="bfloat16").fit(rounds())
    query = Query(history=[3, 4, 5])
    assert model.recommend(queries=[query], k=1).column("item_id") == [6]


def test_early_stopping_keeps_the_best_epoch() -> None:
    model = SASRec(**SMALL | {"epochs": 60, "validation": 0.5}).fit(rounds())
    losses = model.history.column("validation_loss").to_pylist()
    assert min(losses) < 0.3
    assert len(losses) <= np.argmin(losses) + 1 + 5 or len(losses) == 60


@pytest.mark.parametrize(
    ("n_users", "share", "low", "high"),
    [(400, 0.1, 150, 250), (4000, 0.1, 900, 1100), (20_000, 0.1, 1850, 2150), (400, 0.8, 290, 350)],
)
def test_the_fold_is_a_share_of_the_users_and_large_enough(
    n_users: int, share: float, low: int, high: int
) -> None:
    users = np.append(np.repeat(np.arange(n_users), 2), n_users)  # the last has a single item
    items = np.arange(len(users)) % 2
    log = pa.table({"user_id": users, "item_id": items, "at": np.arange(len(users))})
    data = Dataset.from_tables(log, time="at")
    known, held = SASRec(validation=share).folds(data)
    assert held is not None
    assert low < len(held) < high
    assert len(known) + len(held) == len(data)
    assert known.user_counts.min() == 1  # nobody's only item is held out
    assert (held.item_rows == 1).all()  # the last one
    assert SASRec(validation=0).folds(data) == (data, None)


def test_the_fold_of_a_large_catalogue_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    n_users = 4000
    users = np.repeat(np.arange(n_users), 2)
    log = pa.table({"user_id": users, "item_id": np.arange(len(users)), "at": users})
    data = Dataset.from_tables(log, time="at")  # 8,000 items
    monkeypatch.setattr("shortlist.models.sasrec.model._RANKED", 8_000 * 1500)
    _, held = SASRec(validation=0.9).folds(data)
    assert held is not None
    assert 1400 < len(held) < 1600
    monkeypatch.setattr("shortlist.models.sasrec.model._RANKED", 1)
    _, held = SASRec(validation=0.9).folds(data)
    assert held is not None
    assert 900 < len(held) < 1100  # never fewer


def test_all_items_compete_while_an_epoch_is_cheap() -> None:
    data = rounds()  # 12 items, and 3 to 6 places a user
    places = int((data.user_counts - 1).sum())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shortlist.models.sasrec.model._COMPARED", 12 * places)
        patch.setattr("shortlist.models.sasrec.model._DRAWN", 5)
        given = SMALL | {"epochs": 2, "negatives": "auto"}
        whole = SASRec(**given).fit(data)
        assert whole.chosen == {"negatives": "all"}
        patch.setattr("shortlist.models.sasrec.model._COMPARED", 12 * places - 1)
        drawn = SASRec(**given).fit(data)
        assert drawn.chosen == {"negatives": 5}
        short = SASRec(**given, max_length=2).fit(data)  # only the last places of a user count
        assert short.chosen == {"negatives": "all"}
    for model, negatives in ((whole, "all"), (drawn, 5)):
        same = SASRec(**given | {"negatives": negatives}).fit(data)
        assert_array_equal(same.item_vectors(), model.item_vectors())
    assert SASRec(negatives=None).config == SASRec(negatives="all").config
    assert same.chosen == {}


def test_validation_ranks_the_held_item_among_all_others() -> None:
    data = rounds()
    model = SASRec(**SMALL | {"epochs": 3, "dropout": 0.0, "validation": 0.5}).fit(data)
    inner, held = model.folds(data)
    assert held is not None
    assert (held.user_counts <= 1).all()
    best = int(np.argmin(model.history.column("validation_loss").to_pylist()))
    parts = {name: getattr(model.learned, name) for name in FIELDS - {"heads"}}
    scorer = SASRec(**SMALL | {"epochs": 1}).fit(inner)
    scorer.restore(inner, SASRecLearned(**parts, heads=2), scorer.history)
    ranks = []
    for user, item in zip(held.users.take(held.user_rows).to_pylist(),
                          held.items.take(held.item_rows).to_pylist(), strict=True):  # fmt: skip
        listed = scorer.recommend([user], k=12).column("item_id")
        ranks.append(listed.index(item))
    expected = np.mean([1 / np.log2(rank + 2) if rank < 10 else 0 for rank in ranks])
    found = 1 - model.history.column("validation_loss")[best].as_py()
    assert found == pytest.approx(expected, abs=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_SCORES", 3 * data.n_items)  # three users at a time
        again = SASRec(**SMALL | {"epochs": 3, "dropout": 0.0, "validation": 0.5}).fit(data)
    assert_allclose(
        again.history.column("validation_loss"), model.history.column("validation_loss"), atol=1e-5
    )


def test_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    data = small_world().data
    whole = SASRec(**SMALL | {"epochs": 6}).fit(data)
    SASRec(**SMALL | {"epochs": 3}).fit(data, checkpoint=tmp_path / "state")
    resumed = SASRec(**SMALL | {"epochs": 6}).fit(data, checkpoint=tmp_path / "state")
    for name in FIELDS - {"heads"}:
        assert_array_equal(getattr(whole.learned, name), getattr(resumed.learned, name))


def test_a_bundle_scores_without_torch(tmp_path: Path) -> None:
    model = SASRec(**SMALL | {"epochs": 2}).fit(small_world().data)
    bundle = model.save(tmp_path / "bundle")
    code = (
        "import sys; import shortlist as sl; "
        f"print(sl.load({str(bundle)!r}).recommend(['u03'], k=3).column('item_id'), "
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = model.recommend(["u03"], k=3).column("item_id")
    assert done.stdout.strip() == f"{expected} False"
    assert_array_equal(cast(SASRec, load(bundle)).user_vectors(), model.user_vectors())


@pytest.mark.parametrize("given", [{"embedding_size": 8, "heads": 3}, {"embedding_size": 7}])
def test_heads_that_do_not_divide_the_vectors(given: dict[str, int]) -> None:
    with pytest.raises(ConfigError) as error:
        SASRec(**given)
    heads, size = given.get("heads", 2), given["embedding_size"]
    assert f"SASRec: heads={heads} is out of range" in str(error.value)
    assert f"it does not divide embedding_size={size}" in str(error.value)


def test_users_with_one_item_each_have_nothing_to_teach() -> None:
    log = pa.table({"user_id": [1, 2, 3], "item_id": ["a", "b", "c"]})
    model = SASRec(**SMALL | {"epochs": 2}).fit(Dataset.from_tables(log))
    assert model.history.column("loss").to_pylist() == [0, 0]
    assert len(model.recommend([1], k=2)) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu() -> None:
    model = SASRec(**SMALL | {"epochs": 120}, device="cuda").fit(rounds())
    query = Query(history=[3, 4, 5])
    assert model.recommend(queries=[query], k=1).column("item_id") == [6]
