"""The LangGraph graph of one turn.

    START -> answer -> END
                |       ^
                `-> repair
        (a draft that says what no record says)

`answer` retrieves, lets the model draft, grounds the draft. The loop of model and tools runs inside it, so a
cancelled turn leaves no tool call without its result. A step costs some tenths of a millisecond of CPU: there
is a node only where the way parts. Nodes route with `Command`, which costs nothing; a conditional edge costs
half a step. Only `messages` is state; the turn's own data travel in the runtime context.
"""

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
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
    compiled = graph.compile(checkpointer=checkpointer)
    # The stock graph takes its input into the state in a step of its own, a fifth of what LangGraph costs a
    # turn. Here the question goes into the state at once, together with what triggers `answer`.
    compiled.input_channels = ["messages", *compiled.nodes["answer"].triggers]
    return compiled


async def run_graph(graph: Graph, thread_id: str, asked: HumanMessage, work: Work) -> None:
    """One turn of a thread. What it came to stands in `work` and in the checkpoint; nothing is streamed."""
    config: RunnableConfig = {
        "configurable": {"thread_id": thread_id},
        "metadata": {"thread_id": thread_id},  # LangGraph would add it, to a kind of mapping that is slow
        "recursion_limit": MOST_STEPS,
    }
    asking = {**dict.fromkeys(graph.input_channels), "messages": [asked]}
    async for _ in graph.astream(asking, config, context=work, durability="exit", stream_mode=()):
        pass
