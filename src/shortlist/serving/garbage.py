"""Python's garbage collector, kept from walking over the bundles while requests wait.

A full collection looks at every object there is. With a catalogue loaded that takes a tenth of a
second, in which nobody is answered; and it finds nothing, because what is loaded stays.
"""

from __future__ import annotations

import gc

_ALLOCATIONS = 10_000  # more of them than freed: the youngest objects are looked at


def settle() -> None:
    """Collect what is garbage now, and never look at the rest again.

    Call it once everything is loaded. What a request leaves behind is still collected, and what
    nobody refers to any more is freed as ever.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


def settle_again() -> None:
    """Do the same after something was replaced, in a process that did it before."""
    if gc.get_freeze_count():
        settle()
