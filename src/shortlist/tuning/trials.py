"""One attempt at settings: what they were, what came of it, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["complete", "pruned", "failed"]


class Trial(BaseModel):
    """A trial that has ended.

    Attributes
    ----------
    number
        Counted from 0, which is the defaults.
    settings
        The tuned settings that had an effect.
    state
        ``"complete"``; ``"pruned"``: given up, as behind half of those that went on to the end;
        ``"failed"``: see the reason.
    value
        The metric over all folds; of a pruned trial, as far as it came; None of a failed one.
    seconds
        How long it took.
    steps
        The metric after so many epochs, or so many folds.
    reason
        Why it failed, was given up, or took no time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    number: int
    settings: dict[str, Any]
    state: State
    value: float | None = None
    seconds: float = 0.0
    steps: tuple[tuple[int, float], ...] = ()
    reason: str | None = None


def completed(trials: Iterable[Trial]) -> list[tuple[float, Trial]]:
    """Give the trials that were measured to the end, each with its value."""
    return [(one.value, one) for one in trials if one.state == "complete" and one.value is not None]


def counted(trials: Sized) -> str:
    """Say how many there are.

    Examples
    --------
    >>> counted([1])
    '1 trial'
    """
    return f"{len(trials)} trial{'' if len(trials) == 1 else 's'}"
