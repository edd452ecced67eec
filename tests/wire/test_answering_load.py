"""What answers, before and after it is loaded."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from bot import answering
from bot.answering import Answering, build_runner
from bot.assembly import open_core
from tests.wire.web_house import settings_of_a_test


async def test_a_load_that_does_not_end_shows_in_readiness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        core = await open_core(stack, settings_of_a_test(memory_db_path=tmp_path / "memory.db"))
        loading = Answering(core, partial(build_runner, core))
        assert await loading.check() == ""
        monkeypatch.setattr(answering, "LOADING_SECONDS", -1.0)
        assert await loading.check() == "still loading"
        loading.shrink()
        await loading.clean_up()  # jobs and the memory watch may come before it

        await loading.load()
        assert await loading.check() == ""
        assert "agent_seconds" in core.preloading
