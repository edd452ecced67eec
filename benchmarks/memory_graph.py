"""The graphs and turns that the memory benchmarks run: a scripted agent over the real history reducer."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.trimming import bounded
from benchmarks.conversations import turn
from domain.messages import ChatKey, InboundMessage, MessageKind, Sender
from memory.checkpointer import Checkpointer, next_version
from memory.opening import open_store
from memory.records import SessionRecord, TurnCommit
from memory.serializer import StateSerializer
from memory.sqlite import SqliteStore

MAX_TOKENS, MAX_MESSAGES = 3000, 50
Graph = CompiledStateGraph[Any, Any, Any, Any]


class State(TypedDict):
    """A bounded history, like the agent's."""

    messages: Annotated[list[AnyMessage], bounded(max_tokens=MAX_TOKENS, max_messages=MAX_MESSAGES)]


class OurVersions(InMemorySaver):
    """Keeps states in memory as our saver would be given them."""

    def get_next_version(self, current: str | None, channel: None) -> str:
        return next_version(current)


class Scripts:
    """What each chat says and hears next, the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._numbers: dict[str, int] = {}

    def next(self, chat: str) -> list[AnyMessage]:
        """The messages of the chat's next turn: human, tool call, result, answer."""
        number = self._numbers[chat] = self._numbers.get(chat, -1) + 1
        return turn(random.Random(f"{self._seed}/{chat}/{number}"), number, chat=chat)


def build(saver: BaseCheckpointSaver[Any]) -> Graph:
    """One node, as the agent's own tool loop; the context carries what it adds."""

    def answer(state: State, runtime: Runtime[Any]) -> dict[str, Any]:
        return {"messages": runtime.context}

    graph: StateGraph[State, Any, State, State] = StateGraph(State, context_schema=list)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=saver)


async def run_turn(graph: Graph, thread_id: str, messages: list[AnyMessage], **how: Any) -> None:
    """One run of the graph: the first message comes in, the others are what the agent adds."""
    config: Any = {"configurable": {"thread_id": thread_id}}
    await graph.ainvoke({"messages": messages[:1]}, config, context=messages[1:], **how)


class Rig:
    """Our store and saver with a graph on them; a turn goes the whole way from inbox to commit."""

    def __init__(self, store: SqliteStore, saver: Checkpointer) -> None:
        self.store = store
        self.saver = saver
        self.graph = build(saver)
        self._scripts = Scripts()
        self._received = 0

    async def whole_turn(self, key: ChatKey, at: float) -> None:
        """Accept, claim, answer, commit."""
        self._received += 1
        message = inbound(key, self._received, at)
        await self.store.inbox.accept([message], backlog_limit=50)
        for claimed in await self.store.inbox.claim(1, wait=1):
            thread_id = str(claimed.key)
            session = await self.store.sessions.get(claimed.key)
            session = session or SessionRecord(claimed.key, created_at=at, last_activity=at)
            session = replace(session, last_activity=at, messages=session.messages + 1)
            with self.saver.staging(thread_id) as staged:
                await run_turn(self.graph, thread_id, self._scripts.next(thread_id), durability="exit")
                commit = TurnCommit(session=session, checkpoint=staged.write)
                if await self.store.commit(claimed, commit):
                    staged.keep()


@asynccontextmanager
async def open_rig(path: Path, *, cache_bytes: int = 32 * 1024 * 1024) -> AsyncIterator[Rig]:
    """A rig on a database file."""
    async with open_store(path) as store:
        yield Rig(store, Checkpointer(store.checkpoints, StateSerializer(), cache_bytes=cache_bytes))


def inbound(key: ChatKey, number: int, at: float) -> InboundMessage:
    """A text message of a chat."""
    return InboundMessage(
        key=key,
        external_id=str(number),
        kind=MessageKind.TEXT,
        text="combien coûte le forfait d'une semaine ?",
        sender=Sender(user_id=key.chat),
        sent_at=at,
        received_at=at,
        ready_at=at,
    )


def chat(number: int) -> ChatKey:
    """One of many chats."""
    return ChatKey("telegram", "42", str(number))


def disk_bytes(path: Path) -> int:
    """A database with its WAL."""
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())


def figure(what: str, measured: str, target: str, *, held: bool) -> str:
    """One row of the report."""
    verdict = "" if not target else "held" if held else "**missed**"
    return f"| {what} | {measured} | {target} | {verdict} |"
