"""Child processes: started, measured and ended by their id, never by a name."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.settings import ROOT, Settings

STOP_SECONDS = 15.0
_MIB = 1024 * 1024


@dataclass(slots=True)
class Child:
    """One running process of ours."""

    name: str
    process: asyncio.subprocess.Process
    watched: psutil.Process

    def cpu(self) -> float:
        """CPU seconds so far, user and system, all threads."""
        times = self.watched.cpu_times()
        return float(times.user + times.system)

    def rss(self) -> float:
        """Resident MiB."""
        return float(self.watched.memory_info().rss) / _MIB

    def written(self) -> int:
        """Bytes handed to the disk so far."""
        return int(self.watched.io_counters().write_bytes)

    async def line(self, seconds: float = 120.0) -> str:
        """The next line of its output. Raises RuntimeError when it ended instead."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {await self.process.wait()}")
        return line.decode().strip()

    async def output(self, seconds: float) -> bytes:
        """All it writes until it ends by itself. Raises RuntimeError when it fails."""
        async with asyncio.timeout(seconds):
            out, _ = await self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        return out

    async def kill(self) -> None:
        """kill -9: no chance to save anything."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Ask it to end, insist when it does not."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()
            except TimeoutError:
                await self.kill()


async def spawn(
    name: str, *arguments: str, folder: Path, output: bool = False, settings: Mapping[str, str] | None = None
) -> Child:
    """Start `python ARGUMENTS` in a folder; its errors go to NAME.log there."""
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=folder,
            env=environment(settings or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if output else log,
            stderr=log,
            limit=64 * _MIB,
        )
    return Child(name, process, psutil.Process(process.pid))


@asynccontextmanager
async def running(name: str, *arguments: str, folder: Path, output: bool = False) -> AsyncIterator[Child]:
    """A process for the time of a block."""
    child = await spawn(name, *arguments, folder=folder, output=output)
    try:
        yield child
    finally:
        await child.stop()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment without any of the bot's settings, plus these."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}
