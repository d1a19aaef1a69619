"""What a fitted model can be asked for: lists of items and users, and explanations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from shortlist import bundle
from shortlist import engine as engines
from shortlist.data.moments import When
from shortlist.data.rules.where import Where
from shortlist.data.vocabulary import Id
from shortlist.recommend.explain import Explanation, explain
from shortlist.recommend.folder import ListFolder, recommend_to
from shortlist.recommend.items import audience, similar
from shortlist.recommend.places import Place
from shortlist.recommend.query import OnUnknown, OnUnknownItem, Query
from shortlist.recommend.recommender import ListOptions, recommend
from shortlist.recommend.result import Recommendations
from shortlist.recommend.rules import Rules
from shortlist.scoring.scorer import Scorer


class _Fitted(bundle.Storable, Scorer, Protocol):
    """A fitted model."""


class MakesLists:
    """The part of :class:`~shortlist.models.base.Model` that is asked for lists."""

    def recommend(
        self: _Fitted,
        users: Iterable[Id] | None = None,
        *,
        queries: Iterable[Query] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        where: Where | None = None,
        as_of: When | None = None,
        on_unknown: OnUnknown = "raise",
        diversity: float = 0.0,
        engine: engines.Engine | str | None = None,
    ) -> Recommendations:
        """List the ``k`` best eligible items for each user or query.

        Parameters
        ----------
        users
            Ids of users in the training data. Without users and queries: every user.
        queries
            Queries instead of users: known users, histories, features, or a mix (:class:`Query`).
        k
            The length of a list; a list is shorter only where fewer items are eligible.
        exclude_seen
            Leave out the user's training interactions and the items of the query's history.
        allow, deny
            Item ids: only these, or none of these.
        where
            A rule over item features, ``{"year": {"gte": 1990}}`` or ``"year >= 1990"``.
        as_of
            Only items live at this moment, where items have a life span. None: all items.
        on_unknown
            Unknown user and item ids ``"raise"`` an error, are ``"skip"``-ped, or ``"fallback"`` to
            the known part of the query, and to popularity where no part is known.
        diversity
            Trades score for variety, from 0 (the order of the scores) to 1: lists are picked item
            by item from the ``10 * k`` best (at most 1,000, at least ``k``) by maximal marginal
            relevance, ``(1 - diversity) s - diversity max c``. s is the score, scaled to 0 for the
            last and 1 for the first candidate, and c the cosine of an item and an earlier pick by
            the users who chose them. The scores of a list then need not decrease.
        engine
            Where blocks of queries are worked on: ``"local"``, ``"ray"``, ``"ray://host:port"`` or
            an engine; the lists are bit-identical. None: the one in use, by default local.

        Raises
        ------
        UnknownIdError
            An id is unknown and ``on_unknown`` is ``"raise"``.
        InputError
            An argument is out of its range; the message names the bound.
        """
        rules = Rules(allow=allow, deny=deny, where=where, as_of=as_of)
        options = ListOptions(k, exclude_seen, rules, on_unknown, diversity)
        with engines.use(engine):
            return recommend(self, users, queries, options)

    def recommend_to(
        self: _Fitted,
        folder: str | Path,
        users: Iterable[Id] | None = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        where: Where | None = None,
        as_of: When | None = None,
        on_unknown: OnUnknown = "raise",
        diversity: float = 0.0,
        engine: engines.Engine | str | None = None,
        lists_per_file: int = 65_536,
    ) -> ListFolder:
        """Write the lists of :meth:`recommend` into a folder of Parquet files, part by part.

        Lists are never in memory as a whole, and on a cluster every worker writes its own files.
        The file ``_manifest.json`` is written last: with it the lists are complete. A run that was
        interrupted goes on with the files that are missing when it is called again with the same
        model and arguments.

        Parameters
        ----------
        folder
            A new folder, or one of the same run. A path that all nodes share, or an address that
            Arrow opens, such as ``s3://bucket/lists?region=eu-west-1``.
        users, k, exclude_seen, allow, deny, where, as_of, on_unknown, diversity, engine
            As for :meth:`recommend`.
        lists_per_file
            The number of lists in a file.

        Raises
        ------
        InputError
            The folder holds other files or the lists of another run, or an argument is out of its
            range.
        ShortlistError
            The folder cannot be written to, or is not the same on all nodes.
        """
        rules = Rules(allow=allow, deny=deny, where=where, as_of=as_of)
        options = ListOptions(k, exclude_seen, rules, on_unknown, diversity)
        target, identity = Place.of(folder), bundle.identity(self)
        with engines.use(engine):
            return recommend_to(self, target, identity, users, options, lists_per_file)

    def similar(
        self: _Fitted,
        items: Iterable[Id],
        k: int = 10,
        *,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        where: Where | None = None,
        as_of: When | None = None,
        on_unknown: OnUnknownItem = "raise",
    ) -> Recommendations:
        """List the ``k`` items most similar to each of these items, without the item itself."""
        rules = Rules(allow=allow, deny=deny, where=where, as_of=as_of)
        return similar(self, items, k, rules, on_unknown)

    def audience(
        self: _Fitted,
        items: Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        on_unknown: OnUnknownItem = "raise",
        where: Where | None = None,
    ) -> Recommendations:
        """List the ``k`` users with the highest scores for each of these items.

        ``exclude_seen`` leaves out the users who chose the item in training. ``where`` is a
        rule over user features: only users who meet it are listed.
        """
        return audience(self, items, k, exclude_seen, on_unknown, where)

    def explain(
        self: _Fitted, user: Id | None, item: Id, *, query: Query | None = None
    ) -> Explanation:
        """Split the score of an item, for a user or for a query, into its terms.

        It is the score in a list under the rules of the query.

        Raises
        ------
        UnknownIdError
            The user or the item is unknown.
        CapabilityError
            The model cannot explain its scores.
        """
        return explain(self, user, item, query)
