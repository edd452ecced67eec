"""Who gets into the admin page, and who does not."""

from __future__ import annotations

import time
from pathlib import Path

from yarl import URL

from bot.http_access import OperatorAccess
from bot.http_sessions import SESSION_SECONDS, OperatorSessions
from channels.routing import Access
from tests.wire.admin_house import AdminHouse, open_admin

TOKEN = "jeton-du-service"


async def test_signs_in_and_out(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        assert await admin.call("GET", "access") == (200, {"signed_in": False, "sign_in": "token"})
        assert (await admin.call("GET", "api/live"))[0] == 401
        assert (await admin.call("POST", "login", {"token": "faux"}))[0] == 401
        assert (await admin.call("GET", "api/live"))[0] == 401
        assert (await admin.call("POST", "login", {"token": f" {TOKEN}\n"}))[0] == 200
        assert await admin.call("GET", "access") == (200, {"signed_in": True, "sign_in": "token"})
        assert (await admin.call("GET", "api/live"))[0] == 200
        stolen = admin.house.client.cookie_jar.filter_cookies(URL(admin.house.url + "/admin"))["admin"].value
        assert (await admin.call("POST", "logout"))[0] == 200
        assert (await admin.call("GET", "api/live"))[0] == 401
        admin.house.client.cookie_jar.update_cookies({"admin": stolen}, URL(admin.house.url + "/admin"))
        assert (await admin.call("GET", "api/live"))[0] == 401  # ended on our side too


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
            async with admin.house.client.post(
                admin.house.url + "/admin/login",
                json={"token": TOKEN},
                headers={"X-Admin-Page": "1", **headers},
            ) as answer:
                cookie = answer.headers["Set-Cookie"]
            for part in ("HttpOnly", "SameSite=Strict", "Path=/admin"):
                assert part in cookie
            assert ("Secure" in cookie) is secure
            assert TOKEN not in cookie


async def test_every_endpoint_is_shut_to_strangers(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        inside = [route for route in admin.house.server.routes if route.path.startswith("/admin/api/")]
        assert len(inside) == 13
        assert all(route.access is Access.OPERATOR for route in inside)
        other = OperatorSessions(b"another token").issue()
        own = OperatorSessions(TOKEN.encode(), clock=lambda: time.time() - SESSION_SECONDS - 5).issue()
        until, nonce, signature = OperatorSessions(TOKEN.encode()).issue().split(".")
        longer = f"{int(until) + 1}.{nonce}.{signature}"
        for route in inside:
            path = route.path.replace("{id}", "1").replace("{source}", "inbox").replace("{ref}", "x")
            for cookie in ("", "x", "1.2.3", "..", TOKEN, other, own, longer, f"{until}.{nonce}.", "é" * 20):
                headers = {"X-Admin-Page": "1", "Cookie": f"admin={cookie}"}
                async with admin.house.client.request(
                    route.method, admin.house.url + path, json={}, headers=headers
                ) as answer:
                    assert answer.status == 401, (path, cookie)


async def test_a_change_must_come_from_our_page(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        assert (await admin.call("POST", "login", {"token": TOKEN}))[0] == 200
        await _only_from_our_page(admin)


async def _only_from_our_page(admin: AdminHouse) -> None:
    body = {"rule": "DISK_LOW", "minutes": 60}
    assert (await admin.call("POST", "api/mutes", body, page=False))[0] == 401
    url = f"{admin.house.url}/admin/api/mutes"
    for site in ("cross-site", "same-site"):
        headers = {"X-Admin-Page": "1", "Sec-Fetch-Site": site}
        async with admin.house.client.post(url, json=body, headers=headers) as answer:
            assert answer.status == 401
        login = f"{admin.house.url}/admin/login"
        async with admin.house.client.post(login, json={"token": TOKEN}, headers=headers) as answer:
            assert answer.status == 403
    assert (await admin.call("POST", "login", {"token": TOKEN}, page=False))[0] == 403
    assert (await admin.call("POST", "logout", page=False))[0] == 403
    admin.house.client.cookie_jar.clear()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with admin.house.client.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200  # a program with the token needs no page


async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        statuses = [(await admin.call("POST", "login", {"token": str(n)}))[0] for n in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert (await admin.call("POST", "login", {"token": TOKEN}))[0] == 429


async def test_without_a_token_this_machine_is_let_in(tmp_path: Path) -> None:
    async with open_admin(tmp_path) as admin:
        assert await admin.call("GET", "access") == (200, {"signed_in": True, "sign_in": "local"})
        assert (await admin.call("POST", "api/mutes", {"rule": "DISK_LOW", "minutes": 1}))[0] == 200
        assert (await admin.call("POST", "api/mutes", {"rule": "DISK_LOW", "minutes": 1}, page=False))[
            0
        ] == 401
        assert (await admin.call("POST", "login", {"token": ""}))[0] == 409
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "127.0.0.1"}):
            async with admin.house.client.get(admin.house.url + "/admin/api/live", headers=headers) as answer:
                assert answer.status == 401


async def test_a_token_that_is_none_is_wrong(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        for body in ({}, {"token": 5}, {"token": None}, {"token": "\ud83d"}, {"token": ""}):
            assert (await admin.call("POST", "login", body))[0] == 401, body


def test_no_token_is_known_when_there_is_none() -> None:
    assert OperatorAccess(TOKEN).knows(TOKEN)
    assert not OperatorAccess(TOKEN).knows("")
    assert not OperatorAccess(None).knows("")
