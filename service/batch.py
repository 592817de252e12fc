"""Many jobs on a few processes. A worker does one job at a time, so a file that kills its worker is known at once.

The processes are spawned, not forked: codecs start threads, and locks held by a thread do not survive a fork.
Only as many jobs are in flight as there are workers, and sources are drawn as workers become free: memory is
flat for any number of files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import cast

from policies.errors import ToolkitError
from service.jobs import Crashed, Job, TimeLimit, attempt, failed
from service.render import Json, to_json

_SPAWN = multiprocessing.get_context("spawn")
_GRACE = 3.0  # seconds a worker has to remove its temporary files when told to stop


class Worker:
    """One process that does one job at a time; started when needed, and anew after it died."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None

    def start(self, job: Job) -> None:
        """Hand over a job; `receive` gives its result."""
        if self._process is not None and self.connection is not None:
            with suppress(OSError):  # it died while it was idle
                self.connection.send(job)
                return
        self._spawn()
        assert self.connection is not None
        self.connection.send(job)

    def receive(self, seconds: float | None = None) -> Json:
        """The result of the job handed over. Raises Crashed, or TimeLimit after `seconds`; then the process is gone."""
        assert self.connection is not None
        try:
            if not self.connection.poll(seconds):
                self.stop()
                raise TimeLimit(f"took longer than the {seconds:g} s allowed; raise time_limit, or give a shorter file")
            return cast(Json, json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError):
            code = self._exit_code()
            self.stop()
            raise Crashed(f"its worker process died ({code}); the file may be damaged, or memory ran out") from None

    def run(self, job: Job, seconds: float | None = None) -> Json:
        """Do one job and wait for it; a crash or an overrun is its result."""
        try:
            self.start(job)
            return self.receive(seconds)
        except ToolkitError as error:
            return failed(job.source, error)

    def terminate(self) -> None:
        """Tell the process to stop; it removes its temporary files first."""
        if (process := self._process) is not None:
            process.terminate()

    def stop(self) -> None:
        """End the process: politely, then for certain."""
        # Taken first: the service stops a worker from one thread while another waits for its result.
        process, self._process = self._process, None
        connection, self.connection = self.connection, None
        if process is not None:
            process.terminate()
            process.join(_GRACE)
            process.kill()
            process.join()
        if connection is not None:
            connection.close()

    def _spawn(self) -> None:
        self.stop()
        # Files are worked on side by side; libraries that start threads of their own would only fight for cores.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self.connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

    def _exit_code(self) -> str:
        if (process := self._process) is None:
            return "stopped"
        process.join(_GRACE)
        code = process.exitcode
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


def run(jobs: Iterable[Job | Json], workers: int) -> Iterator[Json]:
    """Each job's result as it comes; with one worker in this process, and in the order of the jobs.

    What is a result already, a source that could not be listed for instance, is passed on.
    """
    if workers > 1:
        yield from _in_workers(jobs, workers)
        return
    for job in jobs:
        yield attempt(job) if isinstance(job, Job) else job


@contextmanager
def crew(count: int) -> Iterator[list[Worker]]:
    """Workers that are all stopped at the end, whatever they are doing."""
    workers = [Worker() for _ in range(count)]
    try:
        yield list(workers)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.stop()


def _in_workers(jobs: Iterable[Job | Json], count: int) -> Iterator[Json]:
    with crew(count) as idle:
        busy: dict[Connection, tuple[Worker, Job]] = {}
        for job in jobs:
            if not isinstance(job, Job):
                yield job
                continue
            if not idle:
                yield from _collect(busy, idle)
            worker = idle.pop()
            worker.start(job)
            assert worker.connection is not None
            busy[worker.connection] = (worker, job)
        while busy:
            yield from _collect(busy, idle)


def _collect(busy: dict[Connection, tuple[Worker, Job]], idle: list[Worker]) -> Iterator[Json]:
    """The results of the workers that have finished, at least one's."""
    for ready in wait(list(busy)):
        worker, job = busy.pop(cast(Connection, ready))
        try:
            result = worker.receive()
        except Crashed:
            # Perhaps not the file's fault: memory may have run out for all. Alone and once more decides.
            result = worker.run(job)
        idle.append(worker)
        yield result


def _work(connection: Connection) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_driver, daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send_bytes(to_json(attempt(job)).encode())  # JSON: a worker meets hostile files, pickle trusts


def _leave(*_: object) -> None:
    raise SystemExit(143)  # unwinds, so that temporary folders are removed


def _leave_with_driver() -> None:
    """Wait for the driver's end, however abrupt, and follow it."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(143)
