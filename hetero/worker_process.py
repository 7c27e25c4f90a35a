"""The parent's side of a worker process: start it, ask it, notice its death, start it again at the next use."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from hetero.containers import each_part
from hetero.errors import WorkerError
from hetero.events import EventLog
from hetero.wire import Arena, Channel, Handle, anonymous_file

__all__ = ["WorkerProcess"]

PATIENCE_S = 600.0
"""How long one request may go unanswered before its worker counts as hung."""
LAST_LINES = 20
END_PATIENCE_S = 5.0


class WorkerProcess:
    """A worker process under one name, whichever process that is at the moment.

    Raises (from ``ask``):
        WorkerError: the process died or kept silent; names the device, the exit code or signal and its last lines.
    """

    def __init__(self, name: str, patience_s: float = PATIENCE_S, log: EventLog | None = None) -> None:
        self.name, self.patience_s = name, patience_s
        self.log = EventLog() if log is None else log
        self.generation = 0
        self.lock = threading.RLock()
        """Held by who needs several requests to reach the same process."""
        self._process: subprocess.Popen[str] | None = None
        self._channel: Channel | None = None
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._reader: threading.Thread | None = None
        self._dropped: deque[int] = deque()
        self._owner = os.getpid()
        atexit.register(_end_at_exit, weakref.ref(self))

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return self._process.pid if self._alive() and self._process is not None else None

    def ready(self) -> int:
        """Make sure that it runs; the number of starts so far. Values and executables of earlier ones are gone."""
        with self.lock:
            if os.getpid() != self._owner:
                raise WorkerError(
                    f"{self.name}: its worker process belongs to process {self._owner}, of which this one is a "
                    "fork; open devices after forking, or start processes by 'spawn'"
                )
            if not self._alive():
                if self._process is not None:
                    self.log.add("restart", self.name, self._story())
                self._start()
            return self.generation

    def ask(
        self, verb: str, *arguments: Any, timeout_s: float | None = None, generation: int | None = None
    ) -> Any:
        """Send one request and wait for its answer; what was raised there is raised here.

        Where a ``generation`` is given only that process is asked: a later one has not got what it is asked about.
        """
        with self.lock:
            if self.ready() != generation and generation is not None:
                raise _early(
                    WorkerError(f"{self.name}: its worker process died before it was asked to {verb}")
                )
            assert self._channel is not None
            message = self._channel.pack((verb, arguments, self._forgotten()))
            try:
                self._channel.send(message)
                answer = self._channel.recv(self.patience_s if timeout_s is None else timeout_s)
            except (EOFError, OSError) as error:  # TimeoutError is an OSError
                raise self._lost(verb, error) from error
            except BaseException:  # Ctrl-C, or an answer that cannot be read: the conversation is out of step
                self._kill()
                raise
        if answer[0]:
            return each_part(self._tracked, answer[1])
        raised, text = answer[1], answer[2]
        if text:
            raised.add_note(f"in the worker process of {self.name}:\n{text}")
        raise raised

    def close(self) -> None:
        """End the process: by closing its pipe, then by force."""
        with self.lock:
            if self._process is None or os.getpid() != self._owner:
                return
            if self._channel is not None:
                self._channel.close()
                self._channel = None
            _end(self._process)
            self._process = None

    def _alive(self) -> bool:
        return self._channel is not None and self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        self._drop_channel()
        self.generation += 1
        ours, theirs = socket.socketpair()
        shared = anonymous_file()
        self._lines = deque(maxlen=LAST_LINES)
        self._dropped = deque()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "hetero.run.worker",
                    *map(str, (theirs.fileno(), shared, self.generation)),
                ],
                pass_fds=(theirs.fileno(), shared),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=os.environ
                | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            )
        except OSError as error:
            ours.close()
            os.close(shared)
            raise WorkerError(f"{self.name}: its worker process cannot be started: {error}") from error
        finally:
            theirs.close()
        self._channel = Channel(Connection(ours.detach()), Arena(shared))
        # A worker that nobody closed ends when nobody holds it any more.
        weakref.finalize(self, _let_go, self._process, self._channel, self._owner).atexit = False
        assert self._process.stderr is not None
        self._reader = threading.Thread(
            target=_forward,
            args=(self._process.stderr, self._lines),
            name=f"stderr of {self.name}",
            daemon=True,
        )
        self._reader.start()

    def _lost(self, verb: str, error: BaseException) -> WorkerError:
        silent = isinstance(error, TimeoutError)
        pid = self._process.pid if self._process is not None else 0
        self._kill(wait_first=not silent)
        what = "did not answer in time and was killed" if silent else self._story()
        last = "; its last lines: " + " | ".join(self._lines) if self._lines else ""
        message = f"{self.name}: worker process {pid} {what} (asked to {verb}){last}"
        self.log.add("lost", self.name, message)
        # While it is opened or compiles, a process has not seen a request's values, which so are not to blame.
        return WorkerError(message) if verb in ("run", "put", "get") else _early(WorkerError(message))

    def _kill(self, wait_first: bool = False) -> None:
        """End the process now; one that is dying by itself is given the time to say of what."""
        if self._process is not None:
            if wait_first:
                try:
                    self._process.wait(1.0)
                except subprocess.TimeoutExpired:
                    self._process.kill()
            else:
                self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(1.0)
        self._drop_channel()

    def _drop_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _story(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def _forgotten(self) -> list[int]:
        """Tokens of values that nobody holds any more. No lock: finalizers run in any thread, at any time."""
        return [self._dropped.popleft() for _ in range(len(self._dropped))]

    def _tracked(self, value: Any) -> Any:
        if isinstance(value, Handle):
            weakref.finalize(value, _forget, weakref.ref(self), value.token, value.generation).atexit = False
        return value


def _early(error: WorkerError) -> WorkerError:
    error.starting = True
    return error


def _forget(worker: weakref.ref[WorkerProcess], token: int, generation: int) -> None:
    found = worker()
    if found is not None and found.generation == generation:
        found._dropped.append(token)


def _forward(stream: IO[str], lines: deque[str]) -> None:
    """What the worker writes to its standard error is shown as if a node in this process had written it."""
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if sys.stderr is not None:
                sys.stderr.write(line)


def _let_go(process: subprocess.Popen[str], channel: Channel, owner: int) -> None:
    """End the worker of a ``WorkerProcess`` that is gone; not from a fork, whose worker it is not."""
    if os.getpid() == owner:
        channel.close()
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for a process that is ending, or end it."""
    try:
        process.wait(END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_at_exit(worker: weakref.ref[WorkerProcess]) -> None:
    found = worker()
    if found is not None:
        found.close()
