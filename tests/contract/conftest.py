"""The store under test, once per implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.base import Store
from tests.contract.stores import IMPLEMENTATIONS, House


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    house = House(IMPLEMENTATIONS[request.param], tmp_path)
    yield house
    await house.leave()


@pytest.fixture
async def store(house: House) -> Store:
    return await house.enter()
