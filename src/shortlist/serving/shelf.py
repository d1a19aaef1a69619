"""The loaded bundles by name, each replaced when a newer one lies at its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from shortlist.errors import InputError, ShortlistError, suggestion
from shortlist.serving.garbage import settle_again
from shortlist.serving.metrics import Metrics
from shortlist.serving.served import Served
from shortlist.serving.troubles import RefusedError

log = logging.getLogger("shortlist.serving")

Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]


class Shelf:
    """Loads bundles and looks after them.

    Parameters
    ----------
    paths
        The folder of each bundle by name; the first is the default.
    metrics
        Where to count.

    Raises
    ------
    BundleError
        One of them cannot be loaded.
    """

    def __init__(self, paths: Mapping[str, Path], metrics: Metrics) -> None:
        if not paths:
            raise InputError("there is nothing to serve", remedy="name a bundle")
        self._paths, self._metrics = dict(paths), metrics
        self._seen = {name: signature(path) for name, path in paths.items()}
        self._served = {name: Served.open(name, path) for name, path in paths.items()}
        self.trouble: dict[str, str | None] = dict.fromkeys(paths)
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    def all(self) -> list[Served]:
        """Give the bundles, the default first."""
        return list(self._served.values())

    def get(self, name: str | None) -> Served:
        """Give a bundle; None: the default.

        Raises
        ------
        RefusedError
            There is none of this name.
        """
        if name is None:
            return next(iter(self._served.values()))
        if name not in self._served:
            raise RefusedError(
                404,
                f"there is no model {name!r}",
                where="model",
                remedy=suggestion(name, self._served),
            )
        return self._served[name]

    async def watch(self, seconds: float, taken_over: Callable[[], None]) -> None:
        """Look for newer bundles every so often, for ever; say so in a thread when there was one.

        Requests that are under way keep the bundle they began with.
        """
        while True:
            await asyncio.sleep(seconds)
            for name in self._paths:
                if await self.refresh(name):
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._loader, taken_over)
                    await loop.run_in_executor(self._loader, settle_again)

    async def refresh(self, name: str) -> bool:
        """Take over what lies at the place of a bundle, if it is new and whole.

        A damaged one is told (``trouble``, the log, the metrics) and tried again once its files
        change.
        """
        path, loop = self._paths[name], asyncio.get_running_loop()
        found = await loop.run_in_executor(self._loader, signature, path)
        if found == self._seen[name]:
            return False
        self._seen[name] = found
        try:
            newer = await loop.run_in_executor(self._loader, Served.open, name, path)
        except ShortlistError as error:
            self._refuse(name, error.what)
            return False
        except Exception as error:  # whatever it is, the service and its watch go on
            log.exception("%s: loading failed", name)
            self._refuse(name, f"{type(error).__name__}: {error}")
            return False
        self._served[name] = newer
        self.trouble[name] = None
        self._metrics.reloads.labels(name, "taken over").inc()
        log.info("%s: took over the bundle of %s", name, newer.manifest.created)
        return True

    def _refuse(self, name: str, why: str) -> None:
        self.trouble[name] = why
        self._metrics.reloads.labels(name, "refused").inc()
        log.warning("%s: the newer bundle is not taken over: %s", name, why)

    def stop(self) -> None:
        """Stop loading."""
        self._loader.shutdown(cancel_futures=True)


def signature(path: Path) -> Signature:
    """Give what changes whenever a file of a folder does: names, sizes, times, numbers.

    Examples
    --------
    >>> signature(Path("no such folder"))
    ()
    """
    try:
        stats = [(file.name, file.stat()) for file in sorted(path.iterdir())]
    except OSError:  # it is being replaced, or gone: whatever comes is different
        return ()
    return tuple((name, one.st_size, one.st_mtime_ns, one.st_ino) for name, one in stats)
