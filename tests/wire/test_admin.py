"""The admin page's endpoints: who gets in, what they show and what they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.admin_routes import page_routes
from domain.errors import BadSettings
from handlers.admin import AUDIT, MUTES
from monitoring.alerts import RuleName
from tests.wire.admin_house import AdminHouse, live_some_days, open_admin

TOKEN = "jeton-du-service"
TURNS = 8


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[AdminHouse]:
    """Signed in, with some traffic."""
    async with open_admin(tmp_path, token=TOKEN) as admin:
        await live_some_days(admin.store, turns=TURNS)
        assert (await admin.call("POST", "login", {"token": TOKEN}))[0] == 200
        yield admin


async def test_every_figure_is_that_of_the_snapshot(admin: AdminHouse) -> None:
    _, live = await admin.call("GET", "api/live")
    snapshot = await admin.figures.collect()
    assert live["sessions"]["active_sessions"] == snapshot.active_sessions > 0
    assert live["figures"]["total_turns"] == snapshot.total_turns == TURNS + 1
    assert live["figures"]["dead_letters"] == snapshot.dead_letters == 2
    assert (
        live["performance"]["knowledge"]["version"] == live["knowledge"]["version"] == admin.library.version
    )
    assert live["rules"] == list(RuleName)
    assert "HIGH_MEMORY_USAGE" in live["alerts"]["recent"][0]["text"]


async def test_charts_count_the_turns(admin: AdminHouse) -> None:
    for hours, slots in ((24, 24), (168, 7)):
        status, charts = await admin.call("GET", f"api/charts?hours={hours}")
        assert status == 200
        assert len(charts["slots"]) == len(charts["turns"]) == len(charts["p95_ms"]) == slots
        assert sum(charts["turns"]) == sum(charts["channels"].values()) == TURNS
        assert charts["questions"][0][1] >= charts["questions"][-1][1]
    assert (await admin.call("GET", "api/charts?hours=25"))[0] == 400


async def test_reads_a_talk_without_naming_anybody(admin: AdminHouse) -> None:
    _, listed = await admin.call("GET", "api/sessions")
    assert "2279012" not in str(listed)
    first = listed["sessions"][-1]
    status, talk = await admin.call("GET", f"api/talks/{first['ref']}")
    assert status == 200
    assert "2279012" not in str(talk)
    assert talk["chat"] == first["chat"] == f"…{first['chat'][-4:]}"
    assert len(talk["exchanges"]) >= first["messages"] > 0
    assert talk["exchanges"][0]["at"] <= talk["exchanges"][-1]["at"]
    noted = [entry["command"] for entry in (await admin.store.notes.items(AUDIT)).values()]
    assert noted == [f"lire {first['chat']}"]
    assert (await admin.call("GET", "api/talks/unknown"))[0] == 400


async def test_searches_all_talks(admin: AdminHouse) -> None:
    _, found = await admin.call("GET", "api/search?text=zinder")
    assert [one["question"] for one in found["found"]] == ["est-ce que la 5G arrive à Zinder ?"]
    assert (await admin.call("GET", f"api/talks/{found['found'][0]['ref']}"))[0] == 200
    for text in ("", "a", "x" * 201):
        assert (await admin.call("GET", f"api/search?text={text}"))[0] == 400


async def test_an_answer_is_added_and_counts_at_once(admin: AdminHouse) -> None:
    _, listed = await admin.call("GET", "api/questions")
    (question,) = listed["questions"]
    before = admin.library.version
    status, added = await admin.call(
        "POST",
        "api/knowledge",
        {
            "question": question["text"],
            "answer": "La 5G n'est pas encore à Zinder.\n## interne\n<!-- non --> Composez *555*1#.",
            "ha": "Babu 5G a Zinder tukuna.",
            "valid_to": "2999-12-31",
            "question_id": question["id"],
        },
    )
    assert (status, added["version"] != before) == (201, True)
    assert (await admin.call("GET", "api/questions"))[1] == {"questions": []}
    passage = admin.library.retriever.get(added["id"])
    assert passage is not None
    assert passage.text == "La 5G n'est pas encore à Zinder.\ninterne\n non  Composez *555*1#."
    assert passage.wording("ha") == "Babu 5G a Zinder tukuna."
    assert "*555*1#" in admin.library.retriever.codes()
    found = admin.library.retriever.find("la 5g arrive quand à zinder")
    assert added["id"] in [one.id for one in found.passages]


async def test_an_answer_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    unusable: tuple[dict[str, object], ...] = (
        {},
        {"question": "a"},
        {"question": " ", "answer": "b"},
        {"question": "a", "answer": "## "},
        {"question": "a", "answer": "x" * 3001},
        {"question": "a", "answer": "b", "valid_to": "demain"},
        {"question": "a", "answer": "b", "valid_to": "2001-01-01"},
        {"question": 1, "answer": 2},
    )
    async with open_admin(tmp_path) as admin:
        version = admin.library.version
        for body in unusable:
            status, said = await admin.call("POST", "api/knowledge", body)
            assert (status, said.get("error")) == (400, "bad_input"), body
        assert admin.library.version == version
        assert not (admin.knowledge / "knowledge" / "ajouts").exists()


async def test_an_answer_that_breaks_the_knowledge_is_taken_back(tmp_path: Path) -> None:
    async with open_admin(tmp_path) as admin:
        good = {"question": "a", "answer": "première"}
        assert (await admin.call("POST", "api/knowledge", good))[0] == 201
        (admin.knowledge / "knowledge" / "cassé.md").write_text("rien", encoding="utf-8")
        status, said = await admin.call("POST", "api/knowledge", {"question": "a", "answer": "deuxième"})
        assert status == 400
        assert "cassé.md" in said["message"]
        (added,) = (admin.knowledge / "knowledge" / "ajouts").iterdir()
        assert "première" in added.read_text(encoding="utf-8")
        status, said = await admin.call("POST", "api/knowledge/reload")
        assert status == 400
        assert "cassé.md" in said["message"]
        (admin.knowledge / "knowledge" / "cassé.md").unlink()
        status, said = await admin.call("POST", "api/knowledge/reload")
        assert (status, said["version"]) == (200, admin.library.version)


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    async with open_admin(tmp_path) as admin:
        (admin.knowledge / "knowledge" / "ajouts").write_text("a file where the folder should be")
        status, said = await admin.call("POST", "api/knowledge", {"question": "a", "answer": "b"})
        assert status == 400
        assert "ne peut pas être modifié" in said["message"]


async def test_mutes_last(admin: AdminHouse) -> None:
    status, said = await admin.call("POST", "api/mutes", {"rule": "DISK_LOW", "minutes": 90})
    assert status == 200
    assert admin.book.mutes["DISK_LOW"] == said["until"]
    assert (await admin.store.notes.items(MUTES))["DISK_LOW"] == said["until"]
    assert (await admin.call("GET", "api/live"))[1]["alerts"]["mutes"] == {"DISK_LOW": said["until"]}
    await admin.call("POST", "api/mutes", {"rule": "DISK_LOW", "minutes": 0})
    assert (await admin.call("GET", "api/live"))[1]["alerts"]["mutes"] == {}
    for body in (
        {"rule": "NOTHING", "minutes": 1},
        {"rule": ["DISK_LOW"], "minutes": 1},
        {"rule": "DISK_LOW", "minutes": -1},
        {"rule": "DISK_LOW", "minutes": True},
        {"rule": "DISK_LOW", "minutes": 1e9},
        {"rule": "DISK_LOW"},
    ):
        assert (await admin.call("POST", "api/mutes", body))[0] == 400


async def test_what_was_set_aside_is_replayed(admin: AdminHouse) -> None:
    _, listed = await admin.call("GET", "api/letters")
    assert {letter["source"] for letter in listed["letters"]} == {"inbox", "outbox"}
    assert "2279012" not in str(listed)
    for letter in listed["letters"]:
        path = f"api/letters/{letter['source']}/{letter['id']}/replay"
        assert (await admin.call("POST", path))[0] == 200
        assert (await admin.call("POST", path))[0] == 400
    assert (await admin.call("GET", "api/letters"))[1] == {"letters": []}
    turn = (await admin.store.inbox.claim(1, wait=2))[0]
    assert turn.messages[0].message.text == "message qui fait tomber le tour"
    for path in (
        "api/letters/nowhere/1/replay",
        "api/letters/inbox/x/replay",
        f"api/letters/inbox/{10**20}/replay",
    ):
        assert (await admin.call("POST", path))[0] == 400


async def test_a_closed_question_is_gone(admin: AdminHouse) -> None:
    number = (await admin.call("GET", "api/questions"))[1]["questions"][0]["id"]
    assert (await admin.call("POST", f"api/questions/{number}/close"))[0] == 200
    assert (await admin.call("GET", "api/questions"))[1] == {"questions": []}


async def test_the_files_of_the_page(tmp_path: Path) -> None:
    async with open_admin(tmp_path, token=TOKEN) as admin:
        for path, kind in (
            ("/admin", "text/html"),
            ("/admin/", "text/html"),
            ("/admin/admin.js", "text/javascript"),
            ("/admin/vendor/uplot/uPlot.iife.min.js", "text/javascript"),
        ):
            async with admin.house.client.get(admin.house.url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert answer.headers["Cache-Control"] == "no-cache"
        async with admin.house.client.get(admin.house.url + "/admin/../bot/server.py") as answer:
            assert answer.status == 404
    with pytest.raises(BadSettings, match="incomplète"):
        page_routes(tmp_path / "nowhere")
