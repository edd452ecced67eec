"""The textbook bot: what the documentation of its libraries adds up to.

python-telegram-bot with `concurrent_updates`, LangChain's `create_agent` with one retrieval tool,
`AsyncSqliteSaver`, `ChatOpenAI`. Its knowledge is the bot's own: the same catalogue and topic files.
"""

from __future__ import annotations

import argparse
import csv
import logging
import re
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import SecretStr
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

PROMPT = """Tu es l'assistant du service client d'Airtel Niger. Réponds en français simple, en peu de phrases.
Cherche toujours dans la base de connaissances avant de répondre, et ne dis que ce que tu y as trouvé.
Écris chaque code USSD seul sur sa ligne. Si tu ne trouves rien, renvoie vers le 121."""
FOUND = 5


class KeywordRetriever:
    """Documents that share the most words with a query."""

    def __init__(self, documents: list[Document]) -> None:
        self._documents = [(words(document.page_content), document) for document in documents]

    def invoke(self, query: str) -> list[Document]:
        """The best documents, best first."""
        asked = words(query)
        ranked = sorted(self._documents, key=lambda item: len(asked & item[0]), reverse=True)
        return [document for _, document in ranked[:FOUND]]


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def load_documents(data: Path) -> list[Document]:
    """Every offer and every topic of the knowledge folder, as text."""
    documents = [Document(_french(path)) for path in sorted((data / "knowledge").glob("*.md"))]
    with (data / "catalogue" / "offers.csv").open(encoding="utf-8") as file:
        documents += [Document(_offer(row)) for row in csv.DictReader(file)]
    return documents


def _french(path: Path) -> str:
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    title = re.search(r"^title: (.+)$", head, re.MULTILINE)
    text, _, _ = body.partition("\n## ")
    return f"{title[1] if title else path.stem}\n{text.strip()}"


def _offer(row: dict[str, str]) -> str:
    volume = f"{row['data_mb']} Mo d'internet, " if row["data_mb"] else ""
    minutes = f"{row['minutes_allnet']} minutes tous réseaux, " if row["minutes_allnet"] else ""
    codes = row["codes"].replace("|", " ou ")
    price, validity = row["price_fcfa"], row["validity_label"]
    return f"Forfait {row['category']} à {price} F, valable {validity} : {volume}{minutes}code {codes}"


def search_tool(retriever: KeywordRetriever) -> BaseTool:
    @tool
    def search_airtel(query: str) -> str:
        """Cherche des forfaits et des informations du service client d'Airtel Niger."""
        found = retriever.invoke(query)
        return "\n\n".join(f"[{i}] {document.page_content}" for i, document in enumerate(found, start=1))

    return search_airtel


def build_agent(saver: AsyncSqliteSaver, model_url: str, data: Path) -> Any:
    model = ChatOpenAI(model="gpt-4o-mini", base_url=model_url, api_key=SecretStr("none"), temperature=0)
    tools = [search_tool(KeywordRetriever(load_documents(data)))]
    return create_agent(model, tools=tools, system_prompt=PROMPT, checkpointer=saver)


async def on_message(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.message is None or not update.message.text:
        return
    result = await context.bot_data["agent"].ainvoke(
        {"messages": [{"role": "user", "content": update.message.text}]},
        config={"configurable": {"thread_id": str(update.message.chat_id)}},
    )
    await update.message.reply_text(result["messages"][-1].text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--telegram", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--model", required=True, help="base URL of the model server")
    parser.add_argument("--db", required=True)
    parser.add_argument("--data", required=True, type=Path, help="the knowledge folder")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    saver = AsyncSqliteSaver.from_conn_string(options.db)

    async def start(application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        opened = await saver.__aenter__()
        application.bot_data["agent"] = build_agent(opened, options.model, options.data)

    async def stop(_: Application[Any, Any, Any, Any, Any, Any]) -> None:
        await saver.__aexit__(None, None, None)

    builder = Application.builder().token(options.token).base_url(f"{options.telegram}/bot")
    application = builder.concurrent_updates(True).post_init(start).post_shutdown(stop).build()
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, on_message))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
