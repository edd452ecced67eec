"""One warm parent for all bots of these tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.acceptance.bot_process import environment, fork_server


@pytest.fixture(scope="session")
def bot_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a fork server that has imported the bot."""
    folder = tmp_path_factory.mktemp("server")
    path = folder / "socket"
    process = subprocess.Popen(fork_server(path), cwd=ROOT, env=environment(folder))
    yield path
    process.kill()
    process.wait()
