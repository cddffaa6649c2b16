"""Which recordings make a shard, the unit of one job: from their names alone, so that added ones move few others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

FIRST = "000"


def assign_shards(recordings: Sequence[str], size: int) -> dict[str, str]:
    """Return the shard of each recording: neighbours in order of name, at most `size` of them, half as many on average.

    Counting off every `size` names would move all names behind an added one, and a list of what was assigned before
    would be state that can be lost. Here a range of names that is too long is cut before the name with the smallest
    hash, and so on in both parts. That is the shape of a treap, of which only the branches above one name change when
    it comes or goes (Seidel and Aragon 1996, Randomized search trees, doi:10.1007/BF01940876): an added recording
    changes at most two shards, and usually one. A shard is called by the hash of the name that it was cut before, so
    that it keeps its own name too.

    Parameters
    ----------
    recordings : sequence of str
        Names, each once, in any order.
    size : int
        Most recordings of a shard.

    Returns
    -------
    dict
        Recording → shard, digits; "000" holds the first name.
    """
    names = sorted(recordings)
    ranks = [_rank(name) for name in names]
    shards: dict[str, str] = {}
    taken = {FIRST}
    for start, stop in _ranges(ranks, size):
        shard = FIRST if start == 0 else _free(ranks[start][0], taken)
        taken.add(shard)
        shards |= dict.fromkeys(names[start:stop], shard)
    return shards


def _rank(name: str) -> tuple[str, str]:
    """Return what a name is ranked by: decimal digits of its hash, then the name itself."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return f"{int.from_bytes(digest[:8]):020d}", name


def _ranges(ranks: Sequence[tuple[str, str]], size: int) -> list[tuple[int, int]]:
    """Return the first and the one past the last position of each shard, in order."""
    done, todo = [], [(0, len(ranks))] if ranks else []
    while todo:
        start, stop = todo.pop()
        if stop - start <= size:
            done.append((start, stop))
        else:
            cut = min(range(start + 1, stop), key=ranks.__getitem__)
            todo += [(start, cut), (cut, stop)]
    return sorted(done)


def _free(digits: str, taken: set[str]) -> str:
    """Return as many of the last digits, six or more, as no other shard is called by."""
    return next(digits[-n:] for n in range(6, len(digits) + 1) if digits[-n:] not in taken)
