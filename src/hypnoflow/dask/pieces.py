"""Many pieces of work on the workers that `dask_scheduler` chose, so that a lost worker costs only what it held."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from dask.base import compute
from dask.delayed import delayed


def in_pieces(function: Callable[..., Any], pieces: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return `function` of the arguments of each piece, in their order, computed where dask is set to go.

    Of `distributed`'s workers each result is taken as soon as it is there. `dask.compute` would leave all in the
    workers' memory until the last one is done, and a worker that dies, or leaves at its time limit, would take the
    results of hours with it.

    Parameters
    ----------
    function : callable
        Picklable; with results that are small, since all are held here.
    """
    client = _client()
    if client is None:
        job = delayed(function, pure=False, traverse=False)
        return list(compute(*(job(*arguments) for arguments in pieces)))
    from distributed import as_completed

    futures = client.map(function, *zip(*pieces, strict=True), pure=False) if pieces else []
    places = {future.key: i for i, future in enumerate(futures)}
    results: list[Any] = [None] * len(futures)
    done = as_completed(futures, with_results=True)
    del futures  # workers forget what nobody holds
    for future, result in done:
        results[places[future.key]] = result
        future.release()  # the last one would be held until the next comes
    return results


def _client() -> Any:
    """Return the client of distributed that is in force, or None; who has not imported it has none."""
    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None
