"""FF1 (NIST SP 800-38G Rev. 1) over many values at once: all rows of one length go in lockstep.

Row by row the result is that of the standard; only the order of the work differs. Each of the ten
rounds is one AES call for every block of the CBC-MAC, over all rows, and a sum of arrays. What the
rounds have in common, the first block and those that hold nothing but the tweak, is done once.
"""

from typing import Final

import numpy as np

from leeward_masking.ciphers.aes import BLOCK, BlockCipher, Bytes, block_cipher, encrypt_blocks
from leeward_masking.ciphers.limbs import Limbs, Modulus, Numerals

ROUNDS: Final = 10
MIN_DOMAIN: Final = 1_000_000
"""Fewest values that rows of one length may have; before Rev. 1 of the standard it was 100."""


class BatchFf1:
    """FF1 with AES, under one key and with one radix. Safe to use from several threads.

    Args:
        key: 16, 24 or 32 bytes.
        radix: 2 to 65536.

    Raises:
        ValueError: Key or radix are none of these.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        if not 2 <= radix <= 1 << 16:
            raise ValueError(f"the radix of FF1 is 2 to 65536, not {radix}")
        self._cipher = block_cipher(key)
        self._radix = radix

    def encrypt(self, numerals: Numerals, tweaks: Bytes) -> Numerals:
        """Encrypt rows of numerals.

        Args:
            numerals: Shape (n, length), each below the radix.
            tweaks: Shape (n, bytes of a tweak).

        Returns:
            Shape (n, length).

        Raises:
            ValueError: Rows of this length have fewer than ``MIN_DOMAIN`` values.
        """
        rounds = self._rounds(numerals, tweaks)
        a, b = rounds.split(numerals)
        for number in range(ROUNDS):
            modulus = rounds.halves[number % 2]
            a, b = b, modulus.add(a, rounds.residue(number, b))
        return rounds.join(a, b)

    def decrypt(self, numerals: Numerals, tweaks: Bytes) -> Numerals:
        """Undo ``encrypt``; shapes and errors are the same."""
        rounds = self._rounds(numerals, tweaks)
        a, b = rounds.split(numerals)
        for number in reversed(range(ROUNDS)):
            modulus = rounds.halves[number % 2]
            a, b = modulus.subtract(b, rounds.residue(number, a)), a
        return rounds.join(a, b)

    def _rounds(self, numerals: Numerals, tweaks: Bytes) -> "_Rounds":
        length = numerals.shape[1]
        if self._radix**length < MIN_DOMAIN:
            raise ValueError(f"{length} numerals of radix {self._radix} are too few for FF1")
        return _Rounds(self._cipher, self._radix, length, tweaks)


class _Rounds:
    """The round function for rows of one length; names follow the standard.

    Attributes:
        halves: Arithmetic of the halves A and B, of u and v numerals.
    """

    def __init__(self, cipher: BlockCipher, radix: int, length: int, tweaks: Bytes) -> None:
        u = length // 2
        v = length - u
        self.halves: Final = (Modulus(radix, u), Modulus(radix, v))
        self._u: Final = u
        self._length: Final = length
        self._cipher: Final = cipher
        self._size: Final = (((radix**v) - 1).bit_length() + 7) // 8
        self._drawn: Final = self._size + -self._size % 4 + 4
        first = b"\1\2\1" + radix.to_bytes(3, "big") + bytes([ROUNDS, u % 256])
        first += length.to_bytes(4, "big") + tweaks.shape[1].to_bytes(4, "big")
        self._open(np.frombuffer(first, np.uint8), tweaks)

    def split(self, numerals: Numerals) -> tuple[Limbs, Limbs]:
        """The numbers A and B of each row."""
        left, right = self.halves
        return left.read(numerals[:, : self._u]), right.read(numerals[:, self._u :])

    def join(self, a: Limbs, b: Limbs) -> Numerals:
        """The rows of A and B."""
        numerals = np.empty((len(a[0]), self._length), np.uint16)
        left, right = self.halves
        left.write(a, numerals[:, : self._u])
        right.write(b, numerals[:, self._u :])
        return numerals

    def residue(self, number: int, half: Limbs) -> Limbs:
        """What round ``number`` adds to one half for the other one: y modulo radix^m."""
        blocks = self._blocks.copy()
        blocks[:, -self._size - 1] ^= number
        self._enter(blocks, self.halves[1 - number % 2].words(half, -(-self._size // 4)))
        state = encrypt_blocks(self._cipher, blocks[:, :BLOCK])
        for start in range(BLOCK, blocks.shape[1], BLOCK):
            state = encrypt_blocks(self._cipher, state ^ blocks[:, start : start + BLOCK])
        return self.halves[number % 2].reduce(self._words(state))

    def _open(self, first: Bytes, tweaks: Bytes) -> None:
        """MAC what is the same in all rounds; keep the blocks that are not, under that state."""
        count, size = tweaks.shape
        used = size + 1 + self._size
        blocks = np.zeros((count, -(-used // BLOCK) * BLOCK), np.uint8)
        blocks[:, :size] = tweaks
        state = np.broadcast_to(encrypt_blocks(self._cipher, first), (count, BLOCK))
        common = (blocks.shape[1] - self._size - 1) // BLOCK * BLOCK
        for start in range(0, common, BLOCK):
            state = encrypt_blocks(self._cipher, state ^ blocks[:, start : start + BLOCK])
        blocks = blocks[:, common:].copy()
        blocks[:, :BLOCK] ^= state
        self._blocks = blocks

    def _enter(self, blocks: Bytes, words: Limbs) -> None:
        """Put numbers at the end of the blocks, in ``_size`` bytes."""
        columns = blocks.view(">u4")
        for place, word in enumerate(words[: self._size // 4], 1):
            columns[:, -place] ^= word.astype(np.uint32)
        for byte in range(self._size // 4 * 4, self._size):
            if byte // 4 < len(words):
                part = words[byte // 4] >> 8 * (byte % 4)
                blocks[:, -byte - 1] ^= part.astype(np.uint8)

    def _words(self, state: Bytes) -> Limbs:
        """The number y that the MAC is drawn out to, in words of 32 bits."""
        parts = [state]
        for block in range(1, -(-self._drawn // BLOCK)):
            counter = np.frombuffer(block.to_bytes(BLOCK, "big"), np.uint8)
            parts.append(encrypt_blocks(self._cipher, state ^ counter))
        return [
            part.view(">u4")[:, place].astype(np.uint64)
            for block, part in enumerate(parts)
            for place in range(min(4, self._drawn // 4 - 4 * block))
        ]
