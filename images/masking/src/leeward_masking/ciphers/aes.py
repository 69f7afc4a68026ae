"""AES of many blocks in one call: what SIV, FF1 and Fernet are built on here."""

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
BlockCipher = Cipher[modes.ECB]

BLOCK: Final = 16


def block_cipher(key: bytes) -> BlockCipher:
    """AES under a key of 16, 24 or 32 bytes, each block by itself."""
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 (modes are built on it)


def encrypt_blocks(cipher: BlockCipher, blocks: Bytes) -> Bytes:
    """Each 16-byte block under AES; the shape is kept."""
    plain = np.ascontiguousarray(blocks)
    out = np.empty(plain.size + BLOCK - 1, np.uint8)
    cipher.encryptor().update_into(plain.reshape(-1).data, out.data)
    return out[: plain.size].reshape(plain.shape)
