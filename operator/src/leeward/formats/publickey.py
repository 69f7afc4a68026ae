"""Public halves as JWK (RFC 7517, RFC 8037), beside the PEM that `leeward seal` reads."""

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.formats.document import canonical_json


def x25519_jwk(pem: str, key_id: str) -> str:
    """The public half of an X25519 pair as a JSON Web Key.

    Args:
        pem: SubjectPublicKeyInfo.
        key_id: Becomes ``kid``.

    Raises:
        ValueError: It is not an X25519 public key.
    """
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, X25519PublicKey):
        raise ValueError("not an X25519 public key")
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return canonical_json(
        {"crv": "X25519", "kid": key_id, "kty": "OKP", "use": "enc", "x": x}
    ).decode()
