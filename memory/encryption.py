"""Encryption of the session state at rest: AES-256-GCM under a key derived from MEMORY_ENCRYPTION_KEY.

Layout: key id (4 bytes), nonce (12), ciphertext and tag. Everything is written with the current key; what
the old key wrote stays readable, so a rotation is: old key = current, current = new one, restart; after one
session timeout nothing of the old key is left in use.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from domain.errors import StoreCorrupt

KEY_ID_BYTES = 4
NONCE_BYTES = 12
# A fixed salt only separates this use of the secret from others: a random one would have to be kept beside
# the database, and losing it would lose the state. scrypt makes guessing a weak passphrase costly (16 MiB).
_SALT = b"airtel-niger-bot/session-state/1"


class StateCipher:
    """Seals bytes for one context (the thread they belong to): moved to another thread they do not open."""

    def __init__(self, key: str, old_key: str | None = None) -> None:
        self._current, cipher = _derive(key)
        self._ciphers = {self._current: cipher}
        if old_key:
            old_id, old_cipher = _derive(old_key)
            self._ciphers.setdefault(old_id, old_cipher)

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Encrypt under the current key."""
        nonce = os.urandom(NONCE_BYTES)
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, data, context)

    def open(self, data: bytes, context: bytes) -> bytes:
        """Decrypt. Raises StoreCorrupt for an unknown key, a changed byte or another context."""
        key_id = data[:KEY_ID_BYTES]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise StoreCorrupt(f"state is encrypted with an unknown key ({key_id.hex()})")
        nonce_end = KEY_ID_BYTES + NONCE_BYTES
        try:
            return cipher.decrypt(data[KEY_ID_BYTES:nonce_end], data[nonce_end:], context)
        except (InvalidTag, ValueError) as error:
            raise StoreCorrupt("encrypted state was changed, cut or moved") from error


def _derive(secret: str) -> tuple[bytes, AESGCM]:
    derived = Scrypt(salt=_SALT, length=32 + KEY_ID_BYTES, n=2**14, r=8, p=1).derive(secret.encode())
    return derived[32:], AESGCM(derived[:32])
