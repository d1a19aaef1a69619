"""Comparing models, with a result that can be written as an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shortlist import engine as engines
from shortlist.data.dataset import Dataset
from shortlist.evaluation.comparison import Comparison
from shortlist.files import atomic_file
from shortlist.models.base import Model
from shortlist.reporting.page import gather, render, require_report


class ComparisonWithReport(Comparison):
    """A :class:`~shortlist.evaluation.Comparison` that can be written as an HTML page."""

    def write_report(
        self, path: str | Path, *, title: str | None = None, command: str | None = None
    ) -> Path:
        """Write one HTML page for decision makers; it opens without a network.

        Parameters
        ----------
        path
            The file. An existing file is replaced atomically.
        title
            Heading of the page. None: a question that names the numbers of users and items.
        command
            The command that produces the page again. None: the Python calls that do.

        Returns
        -------
        ``path``.

        Raises
        ------
        ConfigError
            The extra ``report`` is not installed.
        InputError
            The folder does not exist, or ``path`` is a folder.
        """
        require_report(path)
        if title is None:
            train = self.train
            title = f"Which model is best for {train.n_users:,} users and {train.n_items:,} items?"
        page = render(gather(self, title=title, command=command))
        with atomic_file(path) as partial:
            partial.write_text(page, encoding="utf-8")
        return Path(path)


def compare(
    models: Sequence[Model[Any, Any]],
    train: Dataset,
    test: Dataset,
    k: int | Iterable[int] = (5, 10, 20),
    *,
    seed: int = 0,
    engine: engines.Engine | str | None = None,
) -> ComparisonWithReport:
    """Fit models that are not fitted yet, evaluate all of them, and test every difference.

    Parameters
    ----------
    models
        At least one. Models that are not fitted are fitted on ``train``, and stay fitted; the
        others must have been fitted on ``train``.
    train, test, k, seed, engine
        As for :func:`shortlist.evaluate`; models are fitted on the engine too, side by side on a
        cluster.

    Raises
    ------
    InputError
        There is no model, the split leaks or is empty, or a model was fitted on other data.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.data import split
    >>> from shortlist.models.cosine import ItemCosine
    >>> from shortlist.models.popularity import Popularity
    >>> pairs = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (3, 4), (4, 3), (4, 4), (5, 3), (6, 3)]
    >>> users, items = zip(*pairs, strict=True)
    >>> log = pa.table({"user_id": users, "item_id": items})
    >>> train, test = split.random(Dataset.from_tables(log), fraction=0.2, seed=1)
    >>> compare([Popularity(), ItemCosine()], train, test, k=1)
    Comparison(ItemCosine, Popularity; by ndcg@1)
    """
    with engines.use(engine):
        return ComparisonWithReport.of(models, train, test, k, seed=seed)
