"""Chunks of AES-256-GCM or ChaCha20-Poly1305 in the STREAM construction.

STREAM (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, CRYPTO 2015): the nonce holds the chunk's number and whether it is the last, so
dropping, repeating, reordering and appending chunks all fail to authenticate. The 96-bit nonce is
seven zero bytes, a 32-bit counter and the last flag; the prefix needs no randomness, since each
file has a chunk key of its own. The core header is associated data of every chunk.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from leeward.formats.sealed.errors import (
    ChunkTampered,
    PlaintextTooLarge,
    TrailingData,
    Truncated,
)
from leeward.formats.sealed.layout import (
    ALGORITHM_AES256_GCM,
    ALGORITHM_CHACHA20_POLY1305,
    MAX_CHUNKS,
    TAG_SIZE,
    CoreFields,
)

_PREFIX: Final = bytes(7)
_FLAGS: Final = (b"\0", b"\1")
AEADS: Final[dict[int, type[AESGCM] | type[ChaCha20Poly1305]]] = {
    ALGORITHM_AES256_GCM: AESGCM,
    ALGORITHM_CHACHA20_POLY1305: ChaCha20Poly1305,
}


class ChunkCipher:
    """Seals and opens single chunks; safe to use from several threads at once.

    Args:
        chunk_key: 32 bytes.
        header: the core header, associated data of every chunk.
        fields: the same, parsed.
    """

    def __init__(self, chunk_key: bytes, header: bytes, fields: CoreFields) -> None:
        self._aead = AEADS[fields.algorithm](chunk_key)
        chunk_size = fields.chunk_size
        self.header = header
        self.chunk_size = chunk_size
        self.sealed_size = chunk_size + TAG_SIZE

    def seal(self, index: int, last: bool, plain: memoryview, out: memoryview) -> None:
        """Encrypt `plain` into `out`, which is 16 bytes longer.

        Raises:
            PlaintextTooLarge: the counter is used up.
        """
        if index >= MAX_CHUNKS:
            raise PlaintextTooLarge(
                f"a file holds at most {MAX_CHUNKS} chunks of {self.chunk_size} bytes: "
                "split the input over several files"
            )
        self._aead.encrypt_into(_nonce(index, last), plain, self.header, out)

    def open(self, index: int, last: bool, sealed: memoryview, out: memoryview) -> None:
        """Decrypt `sealed` into `out`, which is 16 bytes shorter; `out` is zeroed on failure.

        Raises:
            Truncated: the chunk is authentic, but was not the last one.
            TrailingData: the chunk is authentic, and was the last one.
            ChunkTampered: it does not authenticate.
        """
        if len(sealed) < TAG_SIZE or (last and index and len(sealed) == TAG_SIZE):
            raise Truncated(f"the file ends inside chunk {index}: copy it again in full")
        if index >= MAX_CHUNKS:
            raise TrailingData(
                f"the file has more than {MAX_CHUNKS} chunks, which no writer makes: "
                "use an intact copy of the file"
            )
        try:
            self._aead.decrypt_into(_nonce(index, last), sealed, self.header, out)
        except InvalidTag:
            error = self._diagnose(index, last, sealed, out)
            out[:] = bytes(len(out))
            raise error from None

    def _diagnose(
        self, index: int, last: bool, sealed: memoryview, out: memoryview
    ) -> ChunkTampered | Truncated | TrailingData:
        try:
            self._aead.decrypt_into(_nonce(index, not last), sealed, self.header, out)
        except InvalidTag:
            return ChunkTampered(
                index,
                f"chunk {index} does not authenticate: it was changed, moved, cut short or taken "
                "from another file; use an intact copy of the file",
            )
        if last:
            return Truncated(
                f"the file ends after chunk {index}, which is not its last one: "
                "copy it again in full"
            )
        return TrailingData(
            f"something follows chunk {index}, which is the last one: use an intact copy"
        )


def _nonce(index: int, last: bool) -> bytes:
    return _PREFIX + index.to_bytes(4, "big") + _FLAGS[last]
