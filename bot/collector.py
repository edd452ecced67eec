"""The garbage collector while the bot starts: a start only builds, so that looking for garbage is a loss."""

from __future__ import annotations

import gc


def pause() -> None:
    """Collect nothing until `settle`."""
    gc.disable()


def settle() -> None:
    """Collect again, but never look at what was built so far: it lives as long as the process.

    With 1000 live turns this halves CPU per turn. Nothing is collected first: the garbage of imports is
    small, and looking for it would hold up a loop that serves already.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    gc.enable()
