"""FF1 one value at a time, step by step as NIST SP 800-38G Rev. 1 has it (algorithms 7 and 8)."""

from collections.abc import Sequence
from math import ceil

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Numerals = list[int]


def encrypt(key: bytes, radix: int, tweak: bytes, numerals: Sequence[int]) -> Numerals:
    return _ff1(key, radix, tweak, numerals, decrypt=False)


def decrypt(key: bytes, radix: int, tweak: bytes, numerals: Sequence[int]) -> Numerals:
    return _ff1(key, radix, tweak, numerals, decrypt=True)


def _ff1(
    key: bytes, radix: int, tweak: bytes, numerals: Sequence[int], *, decrypt: bool
) -> Numerals:
    n, t = len(numerals), len(tweak)
    u = n // 2
    v = n - u
    a, b = list(numerals[:u]), list(numerals[u:])
    size = 0
    while 256**size < radix**v:
        size += 1
    d = 4 * ceil(size / 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256])
    p += n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in reversed(range(10)) if decrypt else range(10):
        source = a if decrypt else b
        q = tweak + bytes((-t - size - 1) % 16) + bytes([i])
        q += _num(source, radix).to_bytes(size, "big")
        r = _prf(key, p + q)
        s = r
        for j in range(1, ceil(d / 16)):
            s += _aes(key, bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        if decrypt:
            a, b = _str((_num(b, radix) - y) % radix**m, radix, m), a
        else:
            a, b = b, _str((_num(a, radix) + y) % radix**m, radix, m)
    return a + b


def _num(numerals: Numerals, radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


def _str(number: int, radix: int, count: int) -> Numerals:
    numerals = []
    for _ in range(count):
        number, numeral = divmod(number, radix)
        numerals.append(numeral)
    return numerals[::-1]


def _aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305


def _prf(key: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(data)[-16:]
