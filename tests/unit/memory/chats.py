"""Small tools for tests of sessions and their state: chats, turns, graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.trimming import bounded
from domain.messages import ChatKey, InboundMessage, MessageKind, Sender
from memory.base import Store
from memory.records import SessionRecord, Turn, TurnCommit

Reduce = bounded(max_tokens=3000, max_messages=50)


class State(TypedDict):
    """A history, like the agent's."""

    messages: Annotated[list[AnyMessage], Reduce]


@dataclass
class Clock:
    """A clock that tests move."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def key(number: int = 1) -> ChatKey:
    return ChatKey("telegram", "42", str(number))


def said(chat: ChatKey, text: str, *, at: float, name: str) -> InboundMessage:
    return InboundMessage(
        key=chat,
        external_id=name,
        kind=MessageKind.TEXT,
        text=text,
        sender=Sender(user_id=chat.chat),
        sent_at=at,
        received_at=at,
        ready_at=at,
    )


async def begin_turn(store: Store, chat: ChatKey, *, at: float, name: str = "1") -> Turn:
    """A message arrives and its turn is claimed."""
    await store.inbox.accept([said(chat, "bonjour", at=at, name=name)], backlog_limit=50)
    (turn,) = await store.inbox.claim(1, wait=1)
    return turn


async def have_session(store: Store, chat: ChatKey, *, at: float, name: str = "first", **more: Any) -> None:
    """One whole turn that leaves a session behind."""
    turn = await begin_turn(store, chat, at=at, name=name)
    session = SessionRecord(chat, created_at=at, last_activity=at, messages=1)
    assert await store.commit(turn, TurnCommit(session=session, **more))


def graph(
    saver: BaseCheckpointSaver[str], answer: Callable[[list[AnyMessage]], AIMessage] | None = None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """One node that answers each message."""

    def node(state: State) -> dict[str, list[AnyMessage]]:
        messages = state["messages"]
        reply = answer(messages) if answer else AIMessage(f"réponse {len(messages)}")
        return {"messages": [reply]}

    builder = StateGraph(State)
    builder.add_node("answer", node)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile(checkpointer=saver)


def thread(chat: ChatKey) -> Any:
    return {"configurable": {"thread_id": str(chat)}}
