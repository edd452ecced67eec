"""The chat page's files: small, cached by content, within their own content policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels.web_page import page_routes
from channels.web_routes import PAGE_FOLDER
from domain.errors import BadSettings
from tests.wire.web_house import open_house


async def test_the_page_and_its_files(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        async with house.client.get(house.url + "/") as answer:
            html = await answer.text()
            tag = answer.headers["ETag"]
            assert answer.content_type == "text/html"
            assert answer.headers["Cache-Control"] == "no-cache"
        assert "assistant automatique" in html
        assert "code secret (PIN)" in html
        for name in ("chat.css", "chat.js"):
            found = re.search(rf"/chat/{name}\?v=[0-9a-f]{{16}}", html)
            assert found is not None
            async with house.client.get(house.url + found[0]) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                assert "immutable" in answer.headers["Cache-Control"]
                assert await answer.read() == (PAGE_FOLDER / name).read_bytes()
        async with house.client.get(house.url + "/", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        plain = {"Accept-Encoding": "identity"}
        async with house.client.get(house.url + "/", headers=plain) as answer:
            assert "Content-Encoding" not in answer.headers


def test_the_page_is_small_and_keeps_its_own_rules() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in PAGE_FOLDER.iterdir()}
    assert sum(len(text.encode()) for text in files.values()) < 40_000
    html = files["index.html"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL) == [""]
    for text in files.values():
        addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.]+", re.sub(r"^\s*//.*$", "", text, flags=re.M)))
        assert addresses <= {"http://www.w3.org"}  # the name of SVG, never fetched
    assert "innerHTML" not in files["chat.js"]
    assert not re.search(r"\?\.|\?\?|\breplaceAll\b|\.at\(|\bstructuredClone\b|catch \{", files["chat.js"])


def test_an_incomplete_page_is_a_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="incomplète"):
        page_routes(tmp_path)
