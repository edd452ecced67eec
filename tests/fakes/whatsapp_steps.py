"""What the fake Graph API is told to do with one message, and what it keeps of those that arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one message. `delivers`: the subscriber gets it, whatever we are told."""

    status: int = 200
    code: int | None = None
    transient: bool = False
    delivers: bool = True
    delay: float = 0.0
    hang: bool = False
    reset: bool = False
    raw: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


def error(
    code: int | None, status: int = 400, *, transient: bool = False, retry_after: int | None = None
) -> Step:
    """A refusal; nothing is delivered."""
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
    return Step(status=status, code=code, transient=transient, delivers=False, headers=headers)


OK = Step()
LOST = Step(delivers=False, reset=True)  # never processed, connection gone
PROCESSED_THEN_RESET = Step(reset=True)
PROCESSED_THEN_500 = Step(status=500, code=131000)
PROCESSED_THEN_HANG = Step(hang=True)
YES_WITHOUT_SENSE = Step(raw=b"<html>ok</html>")
PROXY_PAGE = Step(status=403, raw=b"<html>no</html>", delivers=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message a subscriber received."""

    id: str
    at: float
    body: dict[str, Any]

    @property
    def to(self) -> str:
        return str(self.body.get("to") or self.body.get("recipient"))

    @property
    def callback(self) -> str:
        return str(self.body.get("biz_opaque_callback_data", ""))

    @property
    def text(self) -> str:
        """What the subscriber reads, whatever the type of the message."""
        content = self.body[self.body["type"]]
        if self.body["type"] == "interactive":
            return str(content["body"]["text"])
        if self.body["type"] == "template":
            return str(content["components"][0]["parameters"][0]["text"])
        return str(content.get("body") or content.get("caption") or "")

    @property
    def media(self) -> str:
        """The id of the file it carries, "" when it has none."""
        content = self.body.get("document") or self.body.get("image") or {}
        return str(content.get("id", ""))

    @property
    def taps(self) -> list[str]:
        """The ids of its buttons or rows."""
        action = self.body.get("interactive", {}).get("action", {})
        rows = [row for section in action.get("sections", ()) for row in section["rows"]]
        return [str(one["id"]) for one in [*(b["reply"] for b in action.get("buttons", ())), *rows]]


@dataclass(slots=True)
class Media:
    """One stored file and how its look-up and download behave."""

    data: bytes
    mime_type: str = "audio/ogg"
    url: str = ""
    sha256: str = ""
    size: int | None = None
    missing: int = 0  # downloads that answer 404 first
    redirect: str = ""
    looked_up: int = 0
    downloaded: int = 0
