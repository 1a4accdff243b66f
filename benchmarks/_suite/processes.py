# SPDX-License-Identifier: BSD-3-Clause
"""Worker processes, as seen by the process that starts them; see `worker` for what they do."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from . import peers


class WorkerFailed(Exception):
    """The error that a worker reported, or the way it ended."""


class WorkerProcess:
    """A worker process: started by the first request, and again by the first one after it has failed.

    Parameters
    ----------
    name : str
        The peer.
    threads : int
    folder : Path
        Where the outputs of fastrnn and the logs of the workers are stored.
    limit : float
        Seconds to wait for an answer.
    """

    def __init__(self, name: str, threads: int, folder: Path, limit: float) -> None:
        self.name, self.threads, self.folder, self.limit = name, threads, folder, limit
        self.log = folder / f"{name.partition(':')[0]}-{threads}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.buffer = b""

    @property
    def pid(self) -> int | None:
        """The process id; None if the process is not running."""
        return None if self.process is None else self.process.pid

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process and wait until it is ready."""
        command = [sys.executable, "-m", f"{__package__}.worker", self.name, str(self.threads), str(self.folder)]
        env = peers.environment(self.name, self.threads)
        pipe = subprocess.PIPE
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=env, bufsize=0)
        self.buffer = b""
        try:
            self.read_answer(self.process)
        except WorkerFailed:
            self.close()
            raise
        return self.process

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises
        ------
        WorkerFailed
            If the worker answered with an error, died, or did not answer in time.
        """
        process = self.process or self.start()
        try:
            cast(IO[bytes], process.stdin).write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self.report_death(process)
        return self.read_answer(process)

    def read_answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait for the next line of the worker."""
        output, end = cast(IO[bytes], process.stdout), time.monotonic() + self.limit
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([output], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.fail(f"no answer within {self.limit:g} s")
            piece = os.read(output.fileno(), 1 << 16)
            if not piece:
                self.report_death(process)
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer

    def report_death(self, process: subprocess.Popen[bytes]) -> NoReturn:
        """Fail with the exit code and the last line that the process printed."""
        code, lines = process.wait(), self.log.read_text(errors="replace").strip().splitlines()
        self.fail(f"the process ended with code {code}{': ' + lines[-1] if lines else ''}")

    def fail(self, reason: str) -> NoReturn:
        """End the process and raise `WorkerFailed`."""
        self.close()
        raise WorkerFailed(reason)

    def close(self) -> None:
        """End the process if it is running."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            cast(IO[bytes], self.process.stdin).close()
            cast(IO[bytes], self.process.stdout).close()
            self.process = None
