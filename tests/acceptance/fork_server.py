"""Imports the bot once, then forks a child per request: `python -m tests.acceptance.fork_server SOCKET`.

A request is a line of JSON, {"folder", "log", "env"}, on a connection to the socket; the answers are lines
"pid N" and, when the child ended, "exit N CODE". Each child runs the real entry point with that environment
and nothing else. When a connection ends, its children are killed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from bot.__main__ import main
from config.settings import harden_libraries

PARENT_CHECK = 1.0


@dataclass(eq=False)
class _Client:
    stream: socket.socket
    buffered: bytes = b""
    children: set[int] = field(default_factory=set)

    def tell(self, *words: object) -> None:
        with contextlib.suppress(OSError):
            self.stream.sendall(" ".join(map(str, words)).encode() + b"\n")


class _Server:
    def __init__(self, path: Path) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: set[_Client] = set()
        self._parent = os.getppid()

    def serve(self) -> None:
        """Until the process that started us is gone."""
        while os.getppid() == self._parent:
            busy = any(client.children for client in self._clients)
            for key, _ in self._selector.select(0.01 if busy else PARENT_CHECK):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            for client in self._clients:
                _reap(client)

    def _accept(self) -> None:
        stream, _ = self._listener.accept()
        client = _Client(stream)
        self._clients.add(client)
        self._selector.register(stream, selectors.EVENT_READ, client)

    def _read(self, client: _Client) -> None:
        data = client.stream.recv(65536)
        if not data:
            self._selector.unregister(client.stream)
            self._clients.discard(client)
            _end(client)
            return
        *lines, client.buffered = (client.buffered + data).split(b"\n")
        for line in lines:
            self._fork(client, json.loads(line))

    def _fork(self, client: _Client, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid:
            client.children.add(pid)
            client.tell("pid", pid)
            return
        code = 70
        try:
            self._selector.close()
            self._listener.close()
            for each in self._clients:
                each.stream.close()
            code = _become_bot(request)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _become_bot(request: dict[str, Any]) -> int:
    out = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(request["folder"])
    os.environ.clear()  # the child is a program of its own
    os.environ.update(request["env"])
    return main(["run"])


def _reap(client: _Client) -> None:
    for pid in tuple(client.children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            client.children.discard(pid)
            client.tell("exit", pid, os.waitstatus_to_exitcode(status))


def _end(client: _Client) -> None:
    for pid in client.children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    client.stream.close()


if __name__ == "__main__":
    harden_libraries()
    for module in ("uvloop", "bot.cli.run", "bot.thinking", "telegram.ext", "bot.telegram_connection"):
        import_module(module)
    gc.freeze()
    _Server(Path(sys.argv[1])).serve()
