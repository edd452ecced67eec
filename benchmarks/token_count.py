"""How far `agent.trimming.estimate_tokens` is from real tokenizers, on the texts this bot speaks and hears.

The product counts without network. To measure it, the vocabularies come from an npm package that has them:

    npm pack js-tiktoken@1.0.21 && tar xzf js-tiktoken-1.0.21.tgz
    python -m benchmarks.token_count package/dist/ranks/o200k_base.js package/dist/ranks/cl100k_base.js
"""

from __future__ import annotations

import base64
import json
import re
import statistics
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import tiktoken
from langchain_core.messages import AnyMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from agent.trimming import count_tokens, estimate_tokens
from benchmarks.conversations import ANSWERS, PASSAGES, QUESTIONS, conversation

ROOT = Path(__file__).parent.parent
HISTORY_MESSAGES = 40


def encoding(path: Path) -> tiktoken.Encoding:
    """A tokenizer from one of js-tiktoken's files of ranks."""
    data = json.loads(path.read_text(encoding="utf-8").removeprefix("export default ").rstrip().rstrip(";"))
    ranks: dict[bytes, int] = {}
    for line in filter(None, data["bpe_ranks"].split("\n")):
        _, first, *tokens = line.split(" ")
        ranks |= {base64.b64decode(token): int(first) + place for place, token in enumerate(tokens)}
    return tiktoken.Encoding(
        path.stem, pat_str=data["pat_str"], mergeable_ranks=ranks, special_tokens=data["special_tokens"]
    )


def corpora() -> Mapping[str, Sequence[str]]:
    """Texts by kind and language."""
    return {
        "French, answers and passages of benchmarks/conversations.py": [*ANSWERS, *PASSAGES],
        "French, knowledge files": _knowledge("fr"),
        "French, questions with SMS spelling": [*QUESTIONS, *_questions("fr")],
        "French, the bot's own texts": _texts("fr"),
        "Offers (digits, codes, prices)": _offers(),
        "Hausa, knowledge files and questions": [*_knowledge("ha"), *_questions("ha")],
        "Zarma, knowledge files and questions": [*_knowledge("dje"), *_questions("dje")],
        "English, knowledge files and questions": [*_knowledge("en"), *_questions("en")],
    }


def _knowledge(language: str) -> list[str]:
    found = []
    for path in sorted((ROOT / "data" / "knowledge").glob("*.md")):
        body = path.read_text(encoding="utf-8").split("---\n", 2)[-1]
        heads = re.split(r"^## (\w+)\n", body, flags=re.MULTILINE)
        parts = {"fr": heads[0], **dict(zip(heads[1::2], heads[2::2], strict=False))}
        found.append(parts.get(language, "").strip())
    return [text for text in found if text]


def _questions(language: str) -> list[str]:
    lines = (ROOT / "tests" / "eval" / "grown.jsonl").read_text(encoding="utf-8").splitlines()
    return [row["text"] for row in map(json.loads, lines) if row["lang"] == language]


def _texts(language: str) -> list[str]:
    found = []
    for path in sorted((ROOT / "data" / "texts").glob("*.toml")):
        entries = tomllib.loads(path.read_text(encoding="utf-8")).values()
        said = (entry.get(language) for entry in entries if isinstance(entry, dict))
        found += [text for text in said if isinstance(text, str)]
    return found


def _offers() -> list[str]:
    return (ROOT / "data" / "catalogue" / "offers.csv").read_text(encoding="utf-8").splitlines()[1:]


def error(counted: float, real: float) -> str:
    """The difference in percent."""
    return f"{(counted / real - 1) * 100:+.0f} %"


def text_row(name: str, texts: Sequence[str], encodings: Sequence[tiktoken.Encoding]) -> str:
    """Characters per token, and what three ways of counting make of the whole."""
    chars, ours = sum(map(len, texts)), sum(map(estimate_tokens, texts))
    cells = [name, f"{chars:,}"]
    for each in encodings:
        real = sum(len(each.encode_ordinary(text)) for text in texts)
        cells += [f"{chars / real:.2f}", error(ours, real), error(chars / 4.0, real)]
    return "| " + " | ".join(cells) + " |"


def request_tokens(messages: Sequence[AnyMessage], tokenizer: tiktoken.Encoding) -> int:
    """Tokens of plain messages in a chat request: three and the role for each, after OpenAI's cookbook."""
    return sum(4 + len(tokenizer.encode_ordinary(message.text)) for message in messages)


def history_row(tokenizer: tiktoken.Encoding) -> str:
    """Whole histories of plain messages, as a model receives them."""
    ours, stock = [], []
    for seed in range(50):
        talk = [m for m in conversation(seed, 20) if m.text and not isinstance(m, ToolMessage)]
        history = talk[:HISTORY_MESSAGES]
        real = request_tokens(history, tokenizer)
        ours.append((sum(map(count_tokens, history)) / real - 1) * 100)
        stock.append((count_tokens_approximately(history) / real - 1) * 100)
    spans = [f"{statistics.mean(e):+.1f} % ({min(e):+.1f} to {max(e):+.1f})" for e in (ours, stock)]
    return f"| {tokenizer.name} | {spans[0]} | {spans[1]} |"


def main(paths: Sequence[str]) -> None:
    """Print both tables."""
    encodings = [encoding(Path(path)) for path in paths]
    columns = "".join(f" {e.name}: chars/token | ours | chars / 4 |" for e in encodings)
    print(f"| texts | characters |{columns}\n|---|---|{'---|---|---|' * len(encodings)}")
    for name, texts in corpora().items():
        print(text_row(name, texts, encodings))
    print("\n| 50 French histories of 40 messages | ours: mean (span) | count_tokens_approximately |")
    print("|---|---|---|")
    for each in encodings:
        print(history_row(each))


if __name__ == "__main__":
    main(sys.argv[1:])
