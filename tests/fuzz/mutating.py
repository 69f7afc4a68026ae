"""Changes to inputs that keep their structure, so that a change gets past the first check."""

import base64
import binascii
import json
import random
import re
from collections.abc import Callable
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 2**31, 2**63, 2**64, 10**40, 1.5, 1e308, "", "0", "1", "\u00e9",
    "\ud800", "\u0000", "A", "AA", "AA==", "!", "a" * 300, [], {}, [[]], [{}], {"": ""}, ["sign"],
)  # fmt: skip
_LABELS = (
    b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"ENCRYPTED PRIVATE KEY",
    b"OPENSSH PRIVATE KEY", b"PUBLIC KEY", b"CERTIFICATE",
)  # fmt: skip
_ARMOUR = re.compile(rb"(-----BEGIN ([A-Z0-9 ]+)-----\n)([A-Za-z0-9+/=\n]*)(-----END \2-----)")


def seeded(change: Change) -> Callable[[bytes, int], bytes]:
    """A mutator: one to four changes, each drawn by the number."""

    def mutate(data: bytes, number: int) -> bytes:
        source = random.Random(number)
        for _ in range(source.choice((1, 1, 1, 2, 3, 4))):
            data = change(data, source)
        return data

    return mutate


def change_bytes(data: bytes, source: random.Random) -> bytes:
    """Flip, write a number, take out, double or put in."""
    if not data:
        return source.randbytes(source.randint(1, 8))
    at = source.randrange(len(data))
    size = min(len(data) - at, source.choice((1, 1, 2, 4, 16, 256)))
    kind = source.randrange(6)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << source.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        width = source.choice((1, 2, 4, 8))
        number = source.choice(_NUMBERS) % (1 << (8 * width))
        return data[:at] + number.to_bytes(width, "big") + data[at + width :]
    if kind == 2:
        return data[:at] + data[at + size :]
    if kind == 3:
        return data[: at + size] + data[at : at + size] + data[at + size :]
    if kind == 4:
        return data[:at] + source.randbytes(size) + data[at + size :]
    return data[:at]


def change_json(data: bytes, source: random.Random) -> bytes:
    """Change a value or a member somewhere, also inside strings that hold JSON or Base64."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return change_bytes(data, source)
    if source.random() < 0.05:
        return change_bytes(data, source)
    changed = _change_value(document, source)
    text = json.dumps(changed, ensure_ascii=source.random() < 0.5)
    if source.random() < 0.03:
        text = _doubled(text, source)
    return text.encode(errors="surrogatepass")


def _doubled(text: str, source: random.Random) -> str:
    """A member twice."""
    names = re.findall(r'"(\w+)":', text)
    return text.replace("{", f'{{"{source.choice(names or ["kty"])}": 1, ', 1)


def _change_value(value: Any, source: random.Random) -> Any:
    if source.random() < 0.1:
        return source.choice(_ODD)
    if isinstance(value, dict) and value:
        return _change_object(dict(value), source)
    if isinstance(value, list) and value:
        changed = list(value)
        at = source.randrange(len(changed))
        kind = source.randrange(6)
        if kind == 0:
            del changed[at]
        elif kind == 1:
            changed.insert(at, changed[at])
        elif kind == 2:
            changed *= source.choice((2, 20))
        else:
            changed[at] = _change_value(changed[at], source)
        return changed
    if isinstance(value, str):
        return _change_string(value, source)
    if isinstance(value, int) and source.random() < 0.5:
        return value + source.choice((-1, 1, 2**31))
    return source.choice(_ODD)


def _change_object(value: dict[str, Any], source: random.Random) -> dict[str, Any]:
    name = source.choice(list(value))
    kind = source.randrange(10)
    if kind == 0:
        del value[name]
    elif kind == 1:
        value[source.choice(("", "x", "kty", "formatVersion", name.upper(), f"{name} "))] = 1
    elif kind == 2:
        value[source.choice(list(value))] = value[name]
    else:
        value[name] = _change_value(value[name], source)
    return value


def _change_string(value: str, source: random.Random) -> str:
    if value.startswith(("{", "[")):
        return change_json(value.encode(errors="replace"), source).decode(errors="replace")
    decoders: list[tuple[Callable[[str], bytes], Callable[[bytes], str]]] = [
        (lambda s: base64.b64decode(s, validate=True), lambda b: base64.b64encode(b).decode()),
        (
            lambda s: base64.b64decode(s + "=" * (-len(s) % 4), b"-_", validate=True),
            lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode(),
        ),
    ]
    if len(value) >= 8 and source.random() < 0.8:
        for decode, encode in decoders:
            try:
                inner = decode(value)
            except (binascii.Error, ValueError):
                continue
            if inner.startswith(b"{"):
                return encode(change_json(inner, source))
            return encode(change_bytes(inner, source))
    return change_bytes(value.encode(errors="surrogatepass"), source).decode(errors="replace")


def change_der(data: bytes, source: random.Random) -> bytes:
    """Change the content of one value of DER and mend the lengths around it, or any bytes."""
    if source.random() < 0.2 or not data:
        return change_bytes(data, source)
    return b"".join(_change_der_values(_der_values(data), source)) or data


def _der_values(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of the values in `data`, as far as they are well formed."""
    values = []
    at = 0
    while at + 2 <= len(data):
        tag, size, begin = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[begin : begin + width], "big")
            begin += width
        if begin + size > len(data):
            break
        values.append((tag, data[begin : begin + size]))
        at = begin + size
    return values


def _change_der_values(values: list[tuple[int, bytes]], source: random.Random) -> list[bytes]:
    if not values:
        return []
    chosen = source.randrange(len(values))
    made = []
    for number, (tag, content) in enumerate(values):
        if number != chosen:
            made.append(der(tag, content))
            continue
        kind = source.randrange(12)
        nested = _der_values(content) if tag & 0x20 or tag == 4 else []
        if nested and kind > 2:
            content = b"".join(_change_der_values(nested, source))
        elif tag == 2 and kind > 6:
            content = source.choice(_NUMBERS).to_bytes(5, "big").lstrip(b"\0") or b"\0"
        elif kind > 1:
            content = change_bytes(content, source)
        elif kind:
            tag = source.randrange(256)
        else:
            continue
        made.append(der(tag, content))
    return made


def der(tag: int, content: bytes) -> bytes:
    """One value in DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def change_pem(data: bytes, source: random.Random) -> bytes:
    """Change the DER in a PEM block, its label, or any bytes."""
    blocks = list(_ARMOUR.finditer(data))
    if not blocks or source.random() < 0.15:
        return change_bytes(data, source)
    block = source.choice(blocks)
    if source.random() < 0.1:
        return data.replace(block[2], source.choice(_LABELS))
    try:
        inner = base64.b64decode(block[3].replace(b"\n", b""), validate=True)
    except binascii.Error:
        return change_bytes(data, source)
    body = base64.encodebytes(change_der(inner, source))
    return data[: block.start(3)] + body + data[block.end(3) :]


def after_a_byte(change: Change) -> Change:
    """For inputs whose first byte chooses what the rest is taken for."""

    def changed(data: bytes, source: random.Random) -> bytes:
        if not data or source.random() < 0.05:
            return bytes([source.randrange(256)]) + data[1:]
        return data[:1] + change(data[1:], source)

    return changed
