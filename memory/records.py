"""What the Store takes and gives back. All times are seconds since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.messages import ChatKey, Choice, InboundMessage, Language, Reply


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """An inbound message with its place in the order of arrival."""

    seq: int
    message: InboundMessage


@dataclass(frozen=True, slots=True)
class Turn:
    """The oldest unfinished messages of one chat, leased to this process.

    `lease` fences the commit: a turn whose lease was lost writes nothing. `attempt` counts from 1 and is on
    disk before the turn runs, so a message that kills the process is parked too. `opening` is None when it
    could not be read: then each part must be asked for, which sets aside what is damaged.
    """

    key: ChatKey
    messages: tuple[StoredMessage, ...]
    attempt: int
    lease: int
    opening: Opening | None = None

    @property
    def id(self) -> int:
        """Stable across reruns: the seq of the first message."""
        return self.messages[0].seq


class Acceptance(StrEnum):
    """What became of one message offered to the inbox."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REFUSED = "refused"  # the chat's backlog is full; the key is kept so that a redelivery stays refused


class SendState(StrEnum):
    """Life of an outbox part."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"  # refused for good, or the chat is closed
    DEAD = "dead"  # parked for a person: attempts used up, window closed, in doubt twice


# A part in doubt this often is parked, never sent again: it may have arrived that often.
MAX_COPIES = 2


@dataclass(frozen=True, slots=True)
class OutboxPart:
    """One message to send. `doubts` counts sends of unknown outcome, at most MAX_COPIES."""

    id: int
    key: ChatKey
    reply: Reply
    state: SendState
    created_at: float
    due_at: float
    attempts: int = 0
    doubts: int = 0
    plain: bool = False  # resend without markup
    turn_id: int | None = None
    part_no: int = 0
    reply_to: str = ""  # external id of the last message of the turn
    platform_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a send. PENDING and IN_DOUBT are due again at `due_at`.

    `close_chat` fails every other part that waits for the chat, and marks its profile unreachable.
    `counts` is False when the attempt must not count (told to wait, surely not sent).
    """

    state: SendState
    platform_id: str = ""
    error: str = ""
    due_at: float = 0.0
    plain: bool = False
    close_chat: bool = False
    counts: bool = True


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session: the short-term life of a chat between two silences.

    `choices` are those of the last reply, so that a typed digit means the same as a tap. `rest` is what did
    not fit into three parts and waits for "SUITE".
    """

    key: ChatKey
    created_at: float
    last_activity: float
    messages: int = 0
    documents: int = 0
    tool_calls: int = 0
    language: Language | None = None
    choices: tuple[Choice, ...] = ()
    rest: str = ""


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """`total` and `expired` count since the database was made; durations cover ended sessions."""

    active: int
    total: int
    expired: int
    average_duration_seconds: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What outlives sessions. `sealed`: an identity change hides the memory until the subscriber confirms."""

    key: ChatKey
    language: Language | None = None
    phone: str | None = None
    first_seen: float = 0.0
    last_inbound_at: float = 0.0
    reachable: bool = True
    blocked: bool = False  # by an admin
    sealed: bool = False
    handoff_until: float = 0.0  # a person has the talk until then
    extra: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a chat when its turn begins.

    `last_exchange_at` is None without an exchange, or while the profile is sealed; `has_state`: there is a
    checkpoint.
    """

    session: SessionRecord | None
    profile: Profile | None
    last_exchange_at: float | None
    has_state: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer, as long-term memory keeps it. `rating` is True for useful."""

    key: ChatKey
    at: float
    session_started_at: float
    question: str
    answer: str
    language: Language
    origin: str
    passage_ids: tuple[str, ...] = ()
    answered: bool = True
    rating: bool | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """What statistics keep of a turn: nothing that names a subscriber. Durations in milliseconds."""

    at: float
    channel: str
    language: str
    origin: str
    topic: str
    answered: bool
    messages: int
    queue_ms: float
    retrieval_ms: float
    model_ms: float
    total_ms: float
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CheckpointWrite:
    """The latest checkpoint of a thread, serialised, waiting for the turn's commit."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    parent_id: str | None
    kind: str  # type tag of the serializer
    blob: bytes
    metadata: bytes
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class TurnCommit:
    """Everything one turn changes: written in one transaction with "inbox done".

    `session` None leaves sessions alone. `end_session` drops session and checkpoint. `erase` removes all that
    is known of the chat (inbox, outbox, session, checkpoint, profile, exchanges) before `replies` go out.
    `rating` is feedback on the chat's newest exchange.
    """

    replies: tuple[Reply, ...] = ()
    session: SessionRecord | None = None
    checkpoint: CheckpointWrite | None = None
    profile: Profile | None = None
    exchange: Exchange | None = None
    facts: TurnFacts | None = None
    rating: bool | None = None
    end_session: bool = False
    erase: bool = False


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question without a fitting answer, or badly rated, for the editors."""

    id: int
    text: str
    language: str
    reason: str  # "unanswered" | "bad_rating"
    count: int
    last_at: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked turn ("inbox") or an unsendable part ("outbox")."""

    source: str
    id: int
    key: ChatKey
    at: float
    error: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Figures about the database itself; ages in seconds, sizes in bytes.

    `runnable_oldest` is how long the oldest message has been claimable (due, its chat free) and was not
    claimed; `sendable_oldest` the same for outbox parts. 0.0 when there is none.
    """

    inbox_depth: int
    inbox_oldest: float
    outbox_depth: int
    outbox_oldest: float
    in_doubt: int
    dead: int
    file_bytes: int
    wal_bytes: int
    writable: bool
    schema_version: int
    engine: str
    runnable_oldest: float = 0.0
    sendable_oldest: float = 0.0
