"""AES-GCM at rest: rotation, contexts, changed bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import StoreCorrupt
from memory.encryption import KEY_ID_BYTES, NONCE_BYTES, StateCipher

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
CIPHER = StateCipher("une clé")  # scrypt takes 40 ms by design, so tests share one
TEXT = b"le solde de la cliente"


@UNTIMED
@given(data=st.binary(max_size=500), context=st.binary(max_size=50))
def test_what_is_sealed_opens_in_its_context(data: bytes, context: bytes) -> None:
    sealed = CIPHER.seal(data, context)
    assert CIPHER.open(sealed, context) == data
    assert len(data) < 8 or data not in sealed


def test_equal_texts_never_look_equal() -> None:
    assert len({CIPHER.seal(TEXT, b"") for _ in range(100)}) == 100


@UNTIMED
@given(place=st.integers(0, len(CIPHER.seal(TEXT, b"")) - 1), bit=st.integers(0, 7))
def test_a_changed_bit_is_found(place: int, bit: int) -> None:
    sealed = bytearray(CIPHER.seal(TEXT, b"thread"))
    sealed[place] ^= 1 << bit
    with pytest.raises(StoreCorrupt):
        CIPHER.open(bytes(sealed), b"thread")


@pytest.mark.parametrize(
    "length", [0, KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES, KEY_ID_BYTES + NONCE_BYTES + 5]
)
def test_a_cut_is_found(length: int) -> None:
    with pytest.raises(StoreCorrupt):
        CIPHER.open(CIPHER.seal(TEXT, b"")[:length], b"")


def test_another_thread_does_not_open() -> None:
    with pytest.raises(StoreCorrupt):
        CIPHER.open(CIPHER.seal(TEXT, b"telegram:42:1"), b"telegram:42:12")


def test_rotation_reads_the_old_key_and_writes_the_new_one() -> None:
    rotating = StateCipher("nouvelle", "une clé")
    assert rotating.open(CIPHER.seal(TEXT, b""), b"") == TEXT
    rewritten = rotating.seal(TEXT, b"")
    assert StateCipher("nouvelle").open(rewritten, b"") == TEXT
    with pytest.raises(StoreCorrupt, match="unknown key"):
        CIPHER.open(rewritten, b"")


def test_the_same_key_twice_is_no_rotation() -> None:
    assert StateCipher("une clé", "une clé").open(CIPHER.seal(TEXT, b""), b"") == TEXT
