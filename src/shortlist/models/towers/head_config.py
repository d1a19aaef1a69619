"""The settings of a head over two vectors, for the models that have one."""

from __future__ import annotations

from shortlist.models.config import Search, hyper
from shortlist.models.towers.config import TowersConfig


class HeadConfig(TowersConfig):
    """Settings of a head over two vectors."""

    head_layers: tuple[int, ...] = hyper(
        (64,), "Widths of the hidden layers (ReLU) over both vectors; empty: none."
    )
    cross_layers: int = hyper(
        0, "Layers that multiply inputs with each other (DCN v2), before the hidden ones.", ge=0
    )
    cross_rank: int | None = hyper(
        None, "The rank of what cross layers multiply by; None: full.", ge=1
    )
    product: bool = hyper(True, "Add the dot product of both vectors to the head's score.")
    dropout: float = hyper(
        0.1,
        "Share of numbers left out of vectors and hidden layers of the head in training.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )
