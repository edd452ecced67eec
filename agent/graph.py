"""The LangGraph graph of one turn.

    START -> retrieve -> answer -> ground -> END
                |  \\        |   <-  |
                |   \\       |  (one repair; a cached answer that no longer holds)
                |    `--------------> ground   (an answer from the cache)
                `-> END     `-> END
           (canned reply)  (no model: composed from what was found)

Nodes route with `Command`: a conditional edge costs a third of a millisecond more than a static one, a
command costs nothing. Only `messages` is state; the turn's own data travel in the runtime context. The loop
of model and tools runs inside `answer`, so a cancelled turn leaves no tool call without its result.
"""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.nodes import Nodes
from agent.trimming import bounded
from agent.work import Work

MOST_STEPS = 8  # retrieve, answer, ground, answer, ground; the rest is a margin

Graph = CompiledStateGraph[Any, Work, Any, Any]


def build_graph(
    nodes: Nodes, checkpointer: BaseCheckpointSaver[str], *, max_tokens: int, max_messages: int
) -> Graph:
    """Compile the graph over a checkpointer, its history bounded in the state itself."""
    reducer = bounded(max_tokens=max_tokens, max_messages=max_messages)

    class Session(TypedDict):
        messages: Annotated[list[AnyMessage], reducer]

    graph = StateGraph(Session, context_schema=Work)
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_node("answer", nodes.answer)
    graph.add_node("ground", nodes.ground)
    graph.add_edge(START, "retrieve")
    return graph.compile(checkpointer=checkpointer)
