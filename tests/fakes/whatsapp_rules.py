"""What the Cloud API refuses: the limits of a message, as the fake Graph API checks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]


def units(text: object) -> int:
    """UTF-16 units, the strictest way to count."""
    return len(text.encode("utf-16-le")) // 2 if isinstance(text, str) else -1


def faults(body: Body, media: Mapping[str, object]) -> Sequence[str]:
    """Everything wrong with a message, in words; empty when Meta would take it."""
    return [fault for fault in _faults(body, media) if fault]


def _faults(body: Body, media: Mapping[str, object]) -> Iterator[str]:
    if body.get("messaging_product") != "whatsapp":
        yield "messaging_product"
    to, recipient = body.get("to"), body.get("recipient")
    if not isinstance(to or recipient, str):
        yield "neither to nor recipient"
    if isinstance(to, str) and not to.isdigit():
        yield "to is no phone number"
    if recipient is not None and "." not in str(recipient):
        yield "recipient is no user id"
    if units(body.get("biz_opaque_callback_data", "")) > 512:
        yield "biz_opaque_callback_data too long"
    kind = str(body.get("type"))
    check = _KINDS.get(kind)
    content = body.get(kind)
    if check is None or not isinstance(content, dict):
        yield f"type {kind}"
        return
    yield from check(content, media)


def _text(text: Body, _: Mapping[str, object]) -> Iterator[str]:
    yield _sized("text body", text.get("body"), 4096)
    if text.get("preview_url"):
        yield "preview_url costs subscribers data"


def _interactive(interactive: Body, _: Mapping[str, object]) -> Iterator[str]:
    yield _sized("interactive body", interactive.get("body", {}).get("text"), 1024)
    action = interactive.get("action", {})
    if interactive.get("type") == "button":
        buttons = [button.get("reply", {}) for button in action.get("buttons", [])]
        if not 1 <= len(buttons) <= 3:
            yield f"{len(buttons)} buttons"
        yield from _choices(buttons, title=20, id_size=256)
    elif interactive.get("type") == "list":
        yield _sized("list button", action.get("button"), 20)
        sections = action.get("sections", [])
        rows = [row for section in sections for row in section.get("rows", [])]
        if not 1 <= len(rows) <= 10:
            yield f"{len(rows)} rows"
        if len(sections) > 1 and not all(section.get("title") for section in sections):
            yield "sections without title"
        yield from _choices(rows, title=24, id_size=200)
        for row in rows:
            if "description" in row:
                yield _sized("row description", row["description"], 72)
    else:
        yield f"interactive type {interactive.get('type')}"


def _choices(choices: Sequence[Body], *, title: int, id_size: int) -> Iterator[str]:
    for name, limit in (("title", title), ("id", id_size)):
        values = [choice.get(name) for choice in choices]
        for value in values:
            yield _sized(name, value, limit)
        if len(set(values)) != len(values):
            yield f"duplicate {name}"


def _file(file: Body, media: Mapping[str, object]) -> Iterator[str]:
    if file.get("id") not in media:
        yield "unknown media id"
    if "caption" in file:
        yield _sized("caption", file["caption"], 1024)


def _template(template: Body, _: Mapping[str, object]) -> Iterator[str]:
    if not template.get("language", {}).get("code"):
        yield "template language"
    for component in template.get("components", []):
        for parameter in component.get("parameters", []):
            text = parameter.get("text")
            yield _sized("template parameter", text, 1024)
            if isinstance(text, str) and ("\n" in text or "\t" in text or "     " in text):
                yield "template parameter with new-line, tab or more than 4 spaces"


_KINDS = {
    "text": _text,
    "interactive": _interactive,
    "document": _file,
    "image": _file,
    "template": _template,
}


def _sized(name: str, value: object, limit: int) -> str:
    return (
        "" if isinstance(value, str) and value.strip() and units(value) <= limit else f"{name}: {value!r:.60}"
    )
