"""Work in processes, of which one may die: that costs what it worked on, and nothing else."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from hypnoflow.errors import RecordingError

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    processes: int,
    died: Callable[[Task, RecordingError], Result],
) -> Iterator[Result]:
    """Yield what `work` returns of each task, as it comes; any exception of it stops all.

    When a process dies, nobody knows of which task: those that are not done run again one at a time, each in a
    process of its own, with all the memory that there is.

    Parameters
    ----------
    work : callable
        Can be pickled, as can the tasks.
    died : callable
        Given a task whose own process died, and an error that says how, returns what stands for its result.
    """
    left = dict(enumerate(tasks))
    # Processes are spawned: a fork after Zarr has been opened can deadlock.
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=get_context("spawn")) as pool:
        try:
            futures: dict[Future[Result], int] = {}
            with suppress(BrokenProcessPool):
                for i, task in left.items():
                    futures[pool.submit(work, task)] = i
            for future in as_completed(futures):
                with suppress(BrokenProcessPool):
                    result = future.result()
                    del left[futures[future]]
                    yield result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if left:
        log.warning("a process died; the %d recordings that are left run one at a time", len(left))
    for task in left.values():
        yield _alone(work, task, died)


def _alone(work: Callable[[Task], Result], task: Task, died: Callable[[Task, RecordingError], Result]) -> Result:
    """Run one task in a process of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, work, task), daemon=True)
    process.start()
    theirs.close()
    try:
        result, error = ours.recv()
    except EOFError:
        process.join()
        return died(task, _death(process.exitcode or 0))
    finally:
        ours.close()
    process.join()
    if error is not None:
        raise error
    found: Result = result
    return found


def _send(connection: Connection, work: Callable[[Any], Any], task: Any) -> None:
    """Send what `work` returns, and None, or None and what it raises."""
    try:
        result = work(task)
    except Exception as error:  # noqa: BLE001 (raised again by who waits for it)
        connection.send((None, error))
    else:
        connection.send((result, None))


def _death(exitcode: int) -> RecordingError:
    """Return the error of a recording whose process ended with this code; a signal's number counts as negative."""
    names = {int(number): number.name for number in signal.Signals}
    how = f"signal {-exitcode}, {names.get(-exitcode, 'unknown')}" if exitcode < 0 else f"exit code {exitcode}"
    return RecordingError(
        f"the process that read it died ({how}), also when it was alone",
        hint="signal 9 mostly means that the memory ran out: give the job more of it; otherwise the file crashes a "
        "library that reads it: look at it with the program that wrote it, or leave it out",
    )
