"""schemathesis asks everything the description promises: no answer is our fault, none undescribed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.wire.admin_house import live_some_days, open_admin

TOKEN = "jeton-du-service"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = "/api/chat/events"


async def test_nothing_asked_by_the_description_breaks_us(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        await live_some_days(admin.store, turns=3)
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Admin-Page": "1"}
        async with admin.house.client.get(admin.house.url + "/openapi.json", headers=headers) as answer:
            described = await answer.json()
        asked = await asyncio.to_thread(_ask_everything, described, admin.house.url, headers)
        assert asked == {path for path in described["paths"] if path != ENDLESS}


def _ask_everything(described: dict[str, Any], url: str, headers: dict[str, str]) -> set[str]:
    asked = set()
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        _asking(operation, url, headers)()
        asked.add(operation.path)
    return asked


def _asking(operation: Any, url: str, headers: dict[str, str]) -> Callable[[], None]:
    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        response = case.call(base_url=url, headers=headers, timeout=10)
        case.validate_response(response, checks=CHECKS)

    return ask
