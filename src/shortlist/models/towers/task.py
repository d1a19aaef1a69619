"""What two towers are trained for: the contract of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from shortlist.data.dataset import Dataset
from shortlist.models.towers.network import Longs

if TYPE_CHECKING:
    from shortlist.models.towers.training import TwoTowers


class Side(NamedTuple):
    """The vectors of one side in a step.

    Attributes
    ----------
    rows
        The distinct rows, ascending.  # (U,)
    vectors
        Their vectors.  # (U, w)
    place
        Which of them each pair has.  # (P,)
    """

    rows: Longs
    vectors: Tensor
    place: Tensor

    def cut(self, start: int, stop: int) -> Side:
        """Keep some of the pairs."""
        return self._replace(place=self.place[start:stop])


class Pairs(NamedTuple):
    """Pairs of a user and an item whose vectors a task wants."""

    users: Longs  # (P,)
    items: Longs  # (P,)


class Task(nn.Module, ABC):
    """What vectors are for: a loss over pairs of a user and an item."""

    sums: bool = False  # whether the loss of a step is a sum over its examples, not their mean

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Draw, or find, what an epoch needs."""

    @abstractmethod
    def pairs(self, chosen: Longs) -> Pairs:
        """Say which pairs it takes to learn from these interactions."""

    @abstractmethod
    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give what is minimised, as ``loss``, and what else the history shall show."""

    @abstractmethod
    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the loss on a validation fold."""
