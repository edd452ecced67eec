"""The LangGraph graph of one turn.

    START -> answer -> END
                |       ^
                `-> repair
        (a draft that says what no record says)

`answer` retrieves, lets the model draft, grounds the draft. The loop of model and tools runs inside it, so a
cancelled turn leaves no tool call without its result. A step costs 0.75 ms of CPU, a tenth of a turn: there
is a node only where the way parts. Nodes route with `Command`, which costs nothing; a conditional edge costs
a third of a millisecond. Only `messages` is state; the turn's own data travel in the runtime context.
"""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.nodes import Nodes
from agent.trimming import bounded
from agent.work import Work

MOST_STEPS = 4  # answer, repair; the rest is a margin

Graph = CompiledStateGraph[Any, Work, Any, Any]


def build_graph(
    nodes: Nodes, checkpointer: BaseCheckpointSaver[str], *, max_tokens: int, max_messages: int
) -> Graph:
    """Compile the graph over a checkpointer, its history bounded in the state itself."""
    reducer = bounded(max_tokens=max_tokens, max_messages=max_messages)

    class Session(TypedDict):
        messages: Annotated[list[AnyMessage], reducer]

    graph = StateGraph(Session, context_schema=Work)
    graph.add_node("answer", nodes.answer)
    graph.add_node("repair", nodes.repair)
    graph.add_edge(START, "answer")
    return graph.compile(checkpointer=checkpointer)
