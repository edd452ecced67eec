"""The real bot as a process of its own: started as an operator starts it, or forked from a warm parent.

A cold start spends most of its time importing. The fork server imports once and forks a child per start,
which then runs the very same entry point: many kills in little time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import orjson

from config.settings import ROOT

START_SECONDS = 60.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/)")


@dataclass
class Running:
    """One life of the bot. `exit` is its code, negative for the signal that ended it."""

    pid: int
    log: Path
    exit: asyncio.Future[int]
    started: float
    url: str = ""

    def kill(self) -> None:
        """SIGKILL: what a crash or the kernel's memory killer does."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM: what a planned restart does."""
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: it stands still until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    async def ended(self, seconds: float = 20.0) -> int:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self.exit)

    async def ready(self, seconds: float = START_SECONDS) -> str:
        """The address, once it listens."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := _ADDRESS.search(self.text()):
                self.url = found.group()
                return self.url
            if self.exit.done():
                break
            await asyncio.sleep(0.01)
        raise AssertionError(f"the bot did not start:\n{self.text()[-4000:]}")

    def text(self) -> str:
        """Everything it printed and logged."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _signal(self, number: int) -> None:
        if not self.exit.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass
class Cold:
    """Starts `python -m bot run` each time. `wrapper` is put before the command."""

    folder: Path
    env: Mapping[str, str]
    wrapper: Sequence[str] = ()
    _count: int = 0
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)
    _alive: list[Running] = field(default_factory=list)

    async def start(self) -> Running:
        self._count += 1
        log = self.folder / f"bot-{self._count}.log"
        command = [*self.wrapper, sys.executable, "-m", "bot", "run"]
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, env=dict(self.env), stdout=out, stderr=out
            )
        running = Running(process.pid, log, asyncio.get_running_loop().create_future(), time.monotonic())
        task = asyncio.create_task(self._wait(process, running))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        self._alive.append(running)
        return running

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for running in self._alive:
            running.kill()
        await asyncio.gather(*self._waiting)
        await asyncio.sleep(0)  # a transport closes one step after the wait

    @staticmethod
    async def _wait(process: asyncio.subprocess.Process, running: Running) -> None:
        running.exit.set_result(await process.wait())


@dataclass
class Forked:
    """Starts the bot by forking a parent that has imported it: that of `server`, or one of its own."""

    folder: Path
    env: Mapping[str, str]
    server: Path | None = None
    _count: int = 0
    _own: asyncio.subprocess.Process | None = None
    _writer: asyncio.StreamWriter | None = None
    _reader: asyncio.Task[None] | None = None
    _pids: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    _running: dict[int, Running] = field(default_factory=dict)
    _early: dict[int, int] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        path = self.server
        if path is None:
            path = self.folder / "fork.socket"
            self._own = await asyncio.create_subprocess_exec(*fork_server(path), cwd=ROOT, env=dict(self.env))
        reader, self._writer = await _connected(path)
        self._reader = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        for running in self._running.values():
            running.kill()
        await asyncio.gather(*(running.ended() for running in self._running.values()))
        assert self._writer is not None
        self._writer.close()
        assert self._reader is not None
        await self._reader
        if self._own is not None:
            self._own.kill()
            await self._own.wait()
            await asyncio.sleep(0)  # the transport closes one step after the wait

    async def start(self) -> Running:
        assert self._writer is not None
        self._count += 1
        log = self.folder / f"bot-{self._count % 4}.log"
        log.unlink(missing_ok=True)
        started = time.monotonic()
        request = {"folder": str(self.folder), "log": str(log), "env": dict(self.env)}
        self._writer.write(orjson.dumps(request) + b"\n")
        await self._writer.drain()
        pid = await self._pids.get()
        running = Running(pid, log, asyncio.get_running_loop().create_future(), started)
        self._running[pid] = running
        if pid in self._early:
            running.exit.set_result(self._early.pop(pid))
        return running

    async def _read(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            word, pid, *rest = line.split()
            if word == b"pid":
                self._pids.put_nowait(int(pid))
            elif running := self._running.pop(int(pid), None):
                running.exit.set_result(int(rest[0]))
            else:
                self._early[int(pid)] = int(rest[0])


def fork_server(path: Path) -> tuple[str, ...]:
    """The command of a fork server at that socket."""
    return (sys.executable, "-m", "tests.acceptance.fork_server", str(path))


async def _connected(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a fork server that may still be importing."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return await asyncio.open_unix_connection(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """A bare environment: nothing of the developer's own, database and caches in `folder`."""
    values: dict[str, object] = {
        "HOME": folder,
        "PYTHONPATH": ROOT,
        "MPLCONFIGDIR": folder,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MEMORY_DB_PATH": folder / "memory.db",
        "HTTP_PORT": 0,
        "LOG_JSON": "true",
        "CHAT_RATE_PER_MINUTE": 1_000_000,
        "CHAT_BACKLOG": 10_000,
        "BURST_WINDOW": 0,
        **{name.upper(): value for name, value in settings.items()},
    }
    return {name: str(value) for name, value in values.items()}
