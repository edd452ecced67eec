"""What is kept of a webhook piece nobody could use: its shape, without what people wrote and their numbers.

A dead letter is read by whoever teaches the parser a new type. That takes field names and types; the words
of a subscriber, who may have typed a PIN, have no business in it.
"""

from __future__ import annotations

import re

import orjson

RAW_BYTES = 16 * 1024
_MAX_DEPTH = 12
_MAX_ITEMS = 40
_MAX_NAME = 60
# Fields whose values the platform chose.
_TOLD = frozenset(
    {"object", "field", "type", "status", "messaging_product", "event", "code", "error_subcode"}
)
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,59}", re.ASCII)


def outline(raw: object) -> bytes:
    """The shape of a decoded piece as JSON, at most 16 KiB."""
    return orjson.dumps(_shape(raw, "", 0))[:RAW_BYTES]


def outline_bytes(body: bytes) -> bytes:
    """The first 16 KiB of a body that is no JSON, every digit hidden."""
    return re.sub(rb"[0-9]", b"0", body[:RAW_BYTES])


def _shape(value: object, name: str, depth: int) -> object:
    if isinstance(value, dict | list) and depth >= _MAX_DEPTH:
        return "<deeper>"
    if isinstance(value, dict):
        pairs = list(value.items())[:_MAX_ITEMS]
        return {_name(key): _shape(item, str(key), depth + 1) for key, item in pairs}
    if isinstance(value, list):
        return [_shape(item, name, depth + 1) for item in value[:_MAX_ITEMS]]
    return value if value is None or isinstance(value, bool) else _leaf(value, name)


def _leaf(value: object, name: str) -> object:
    if isinstance(value, str):
        return value if name in _TOLD and _SIMPLE.fullmatch(value) else f"<text {len(value)}>"
    told = name in _TOLD and isinstance(value, int) and abs(value) < 10**9
    return value if told else "<number>"


def _name(key: object) -> str:
    text = str(key)[:_MAX_NAME]
    return text if _SIMPLE.fullmatch(text) else f"<name {len(text)}>"
