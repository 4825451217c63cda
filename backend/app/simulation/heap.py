"""No collections of garbage while a seed runs: what it made is dropped at once when it is over."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing is collected within; afterwards what was made within and is no longer needed.

    A run makes much and throws little of it away, so that collections within it find next to
    nothing, and each would look at everything that the process has loaded, too.
    """
    was_enabled = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if was_enabled:
            gc.enable()
