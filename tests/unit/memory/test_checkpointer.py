"""The saver inside turns: staging, cache, unreadable states."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zstandard
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import interrupt

from domain.errors import BadInput, StoreUnavailable
from memory.checkpointer import Checkpointer
from memory.encryption import StateCipher
from memory.opening import open_store
from memory.records import SessionRecord, TurnCommit
from memory.serializer import StateSerializer
from memory.sqlite import SqliteStore
from tests.unit.memory.chats import begin_turn, graph, key, thread

CACHE = 4_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with open_store(tmp_path / "memory.db") as opened:
        yield opened


@pytest.fixture
def saver(store: SqliteStore) -> Checkpointer:
    return Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=CACHE)


async def say(saver: Checkpointer, text: str, *, number: int = 1) -> list[str]:
    """What the history holds after the graph ran on one more message."""
    state = await graph(saver).ainvoke(
        {"messages": [HumanMessage(text)]}, thread(key(number)), durability="exit"
    )
    return [message.content for message in state["messages"]]


async def turn(store: SqliteStore, saver: Checkpointer, text: str, *, name: str) -> list[str]:
    """A whole turn: claimed, answered, committed, kept."""
    chat = key()
    claimed = await begin_turn(store, chat, at=1.0, name=name)
    with saver.staging(str(chat)) as staged:
        texts = await say(saver, text)
        session = SessionRecord(chat, created_at=1.0, last_activity=1.0)
        assert await store.commit(claimed, TurnCommit(session=session, checkpoint=staged.write))
        staged.keep()
    return texts


async def history(saver: Checkpointer, number: int = 1) -> list[str]:
    found = await saver.aget_tuple(thread(key(number)))
    return [] if found is None else [m.content for m in found.checkpoint["channel_values"]["messages"]]


def rows(path: Path, table: str = "checkpoints") -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_a_staged_state_is_written_by_the_commit_only(
    tmp_path: Path, store: SqliteStore, saver: Checkpointer
) -> None:
    with saver.staging(str(key())) as staged:
        await say(saver, "combien ?")
        assert await history(saver) == ["combien ?", "réponse 1"]  # the block sees its own state
        assert rows(tmp_path / "memory.db") == 0
        assert staged.write is not None
        assert (staged.write.thread_id, staged.write.parent_id) == (str(key()), None)
    assert await history(saver) == []


async def test_turns_leave_one_row_whatever_their_number(
    tmp_path: Path, store: SqliteStore, saver: Checkpointer
) -> None:
    for number in range(40):
        texts = await turn(store, saver, f"question {number}", name=str(number))
    assert rows(tmp_path / "memory.db") == 1
    assert rows(tmp_path / "memory.db", "checkpoint_writes") == 0
    assert texts[-2:] == ["question 39", f"réponse {len(texts) - 1}"]
    fresh = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=CACHE)
    assert await history(fresh) == await history(saver) == texts


async def test_of_a_new_thread_nothing_is_looked_for(store: SqliteStore, saver: Checkpointer) -> None:
    await say(saver, "avant")  # there all the same: nobody asks the disk
    saver.forget(str(key()))
    with saver.staging(str(key()), new=True) as staged:
        assert await history(saver) == []
        assert await say(saver, "bonjour") == ["bonjour", "réponse 1"]
        assert await history(saver) == ["bonjour", "réponse 1"]
        staged.keep()
    assert await history(saver) == ["bonjour", "réponse 1"]


async def test_an_aborted_turn_leaves_the_state_before_it(store: SqliteStore, saver: Checkpointer) -> None:
    before = await turn(store, saver, "première", name="1")
    with pytest.raises(ZeroDivisionError), saver.staging(str(key())):  # noqa: PT012
        await say(saver, "seconde")
        raise ZeroDivisionError
    assert saver.cached_sessions == 0
    assert await history(saver) == before


async def test_a_refused_commit_leaves_the_state_before_it(store: SqliteStore, saver: Checkpointer) -> None:
    before = await turn(store, saver, "première", name="1")
    with saver.staging(str(key())):
        await say(saver, "seconde")
    assert await history(saver) == before


async def test_keep_without_a_checkpoint_keeps_the_cached_state(
    store: SqliteStore, saver: Checkpointer
) -> None:
    await turn(store, saver, "première", name="1")
    with saver.staging(str(key())) as staged:
        staged.keep()
    assert saver.cached_sessions == 1


async def test_a_thread_is_staged_once_at_a_time(saver: Checkpointer) -> None:
    with saver.staging("a"), saver.staging("b"), pytest.raises(RuntimeError), saver.staging("a"):
        pass


async def test_a_clone_shares_staging_and_cache(store: SqliteStore, saver: Checkpointer) -> None:
    clone = saver.with_allowlist([("tests.nothing", "Here")])
    assert clone is not saver
    assert isinstance(clone, Checkpointer)
    with saver.staging(str(key())) as staged:
        await say(clone, "bonjour")
        assert staged.write is not None
        staged.keep()
    assert clone.cached_bytes == saver.cached_bytes > 0
    saver.forget(str(key()))
    assert clone.cached_sessions == 0


async def test_an_interrupt_inside_a_turn_is_refused(saver: Checkpointer) -> None:
    def ask(_: object) -> AIMessage:
        return AIMessage(str(interrupt("?")))

    with saver.staging(str(key())), pytest.raises(BadInput):
        await graph(saver, ask).ainvoke({"messages": [HumanMessage("x")]}, thread(key()), durability="exit")


async def test_a_failing_node_leaves_nothing(tmp_path: Path, saver: Checkpointer) -> None:
    def fail(_: object) -> AIMessage:
        raise ZeroDivisionError

    with saver.staging(str(key())), pytest.raises(ZeroDivisionError):
        await graph(saver, fail).ainvoke({"messages": [HumanMessage("x")]}, thread(key()), durability="exit")
    assert rows(tmp_path / "memory.db") == rows(tmp_path / "memory.db", "checkpoint_writes") == 0
    assert await history(saver) == []


async def test_what_a_caller_does_to_a_state_stays_with_the_caller(
    store: SqliteStore, saver: Checkpointer
) -> None:
    before = await turn(store, saver, "première", name="1")
    found = await saver.aget_tuple(thread(key()))
    assert found is not None
    found.checkpoint["channel_values"]["messages"] = []
    found.checkpoint["versions_seen"].clear()
    found.metadata["step"] = 99
    again = await saver.aget_tuple(thread(key()))
    assert again is not None
    assert again.metadata["step"] != 99
    assert again.checkpoint["versions_seen"]
    assert await history(saver) == before


async def test_the_cache_is_bounded_and_shrinks(store: SqliteStore) -> None:
    saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=100_000)
    for number in range(30):
        await say(saver, "bonjour", number=number)
        await history(saver, number)
        assert saver.cached_bytes <= 100_000
    assert 1 < saver.cached_sessions < 30
    kept = saver.cached_sessions
    saver.shrink(saver.cached_bytes // 2)
    assert 0 < saver.cached_sessions <= kept // 2
    saver.shrink()
    assert saver.cached_sessions == saver.cached_bytes == 0
    assert await history(saver, 3) == ["bonjour", "réponse 1"]


async def test_a_state_that_changes_while_it_is_loaded_is_not_cached(
    store: SqliteStore, saver: Checkpointer
) -> None:
    await say(saver, "bonjour")
    load = asyncio.create_task(saver.aget_tuple(thread(key())))
    await asyncio.sleep(0)  # the load is on its way to the disk
    saver.forget(str(key()))
    assert await load is not None
    assert saver.cached_sessions == 0


def damage(path: Path, statement: str) -> None:
    bomb = b"\x01" + zstandard.ZstdCompressor(level=19).compress(bytes(64 * 1024 * 1024))
    with sqlite3.connect(path) as connection:
        connection.execute(statement, {"thread": str(key()), "other": str(key(3)), "bomb": bomb})


DAMAGE = {
    "random bytes": "UPDATE checkpoints SET checkpoint = randomblob(300)",
    "cut": "UPDATE checkpoints SET checkpoint = substr(checkpoint, 1, length(checkpoint) - 7)",
    "empty": "UPDATE checkpoints SET checkpoint = x''",
    "another type": "UPDATE checkpoints SET type = 'pickle'",
    "no checkpoint": "UPDATE checkpoints SET type = 'msgpack~r', checkpoint = x'0180'",
    "metadata": "UPDATE checkpoints SET metadata = x'7b'",
    "bomb": "UPDATE checkpoints SET checkpoint = :bomb",
}


@pytest.mark.parametrize("how", DAMAGE)
async def test_an_unreadable_state_is_set_aside_and_the_session_starts_afresh(
    tmp_path: Path, store: SqliteStore, how: str
) -> None:
    trouble: list[str] = []
    saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=CACHE, on_trouble=trouble.append)
    await say(saver, "à garder", number=2)
    await say(saver, "à perdre", number=1)
    damage(tmp_path / "memory.db", f"{DAMAGE[how]} WHERE thread_id = :thread")
    assert await history(saver) == []
    assert len(trouble) == 1
    assert rows(tmp_path / "memory.db", "quarantine") == 1
    assert await say(saver, "nouveau") == ["nouveau", "réponse 1"]
    assert await history(saver, 2) == ["à garder", "réponse 1"]
    assert len(trouble) == 1


async def test_listing_goes_past_an_unreadable_state(tmp_path: Path, store: SqliteStore) -> None:
    saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=CACHE)
    await say(saver, "un", number=1)
    await say(saver, "deux", number=2)
    damage(tmp_path / "memory.db", "UPDATE checkpoints SET checkpoint = x'00' WHERE thread_id = :thread")
    listed = [state.config["configurable"]["thread_id"] async for state in saver.alist(None)]
    assert listed == [str(key(2))]


async def test_listing_filters_before_it_limits(saver: Checkpointer) -> None:
    await graph(saver).ainvoke({"messages": [HumanMessage("x")]}, thread(key()), durability="sync")
    steps = [
        state.metadata["step"] async for state in saver.alist(thread(key()), filter={"step": 0}, limit=1)
    ]
    assert steps == [0]


async def test_an_encrypted_state_moved_to_another_chat_does_not_open(
    tmp_path: Path, store: SqliteStore
) -> None:
    saver = Checkpointer(store.checkpoints, StateSerializer(cipher=StateCipher("clé")), cache_bytes=CACHE)
    await say(saver, "secret", number=1)
    await saver.acopy_thread(str(key(1)), str(key(2)))
    damage(tmp_path / "memory.db", "UPDATE checkpoints SET thread_id = :other WHERE thread_id = :thread")
    assert await history(saver, 2) == ["secret", "réponse 1"]  # a copy made by the saver opens
    assert await history(saver, 3) == []


async def test_states_survive_the_rotation_of_the_key(tmp_path: Path, store: SqliteStore) -> None:
    async def with_cipher(*keys: str, text: str) -> list[str]:
        serializer = StateSerializer(cipher=StateCipher(*keys))
        return await say(Checkpointer(store.checkpoints, serializer, cache_bytes=0), text)

    await with_cipher("ancienne", text="un")
    await with_cipher("nouvelle", "ancienne", text="deux")
    assert (await with_cipher("nouvelle", text="trois"))[::2] == ["un", "deux", "trois"]
    assert b"deux" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


async def test_pruning_knows_two_strategies(saver: Checkpointer) -> None:
    with pytest.raises(BadInput):
        await saver.aprune(["a"], strategy="some")


async def test_a_write_that_fails_drops_the_cached_state(tmp_path: Path) -> None:
    async with open_store(tmp_path / "closed.db") as store:
        saver = Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=CACHE)
        await turn(store, saver, "première", name="1")
        assert saver.cached_sessions == 1
    with pytest.raises(StoreUnavailable):
        await saver.adelete_thread(str(key()))
    assert saver.cached_sessions == 0
