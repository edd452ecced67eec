"""A start that cannot be says so in one sentence and leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from domain.errors import BadKnowledge, BadSettings, StoreUnavailable
from tests.wire.house import bot


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadSettings, match=f"HTTP_PORT={port} : ce port est déjà pris"):
            async with bot(tmp_path, http_port=port):
                pytest.fail("started")
    async with bot(tmp_path) as house:  # the database was closed again
        assert (await house.get("/readyz"))["ok"] is True


async def test_a_second_bot_on_the_same_database_is_refused(tmp_path: Path) -> None:
    async with bot(tmp_path) as house:
        with pytest.raises(StoreUnavailable, match="déjà ouverte par un autre processus"):
            async with bot(tmp_path):
                pytest.fail("started")
        assert (await house.get("/healthz"))["ok"] is True


async def test_missing_knowledge_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadKnowledge, match="nowhere"):
        async with bot(tmp_path, knowledge_path=tmp_path / "nowhere"):
            pytest.fail("started")
