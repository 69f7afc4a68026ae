"""Key material: what a key of each algorithm is, as bytes.

| algorithm | material |
|---|---|
| AES256_GCM, CHACHA20_POLY1305, HMAC_SHA256, FF1_AES256 | 32 random bytes |
| AES256_SIV | 64 random bytes, the MAC key first (RFC 5297) |
| FERNET | 32 random bytes: 16 to sign, 16 to encrypt (Fernet specification) |
| HPKE_X25519 | the private key, 32 bytes (RFC 7748) |
| HPKE_MLKEM768_X25519 | the seed of the pair, 32 bytes (X-Wing, see ``xwing``) |
| ED25519 | the private key, 32 bytes (RFC 8032) |
| ML_DSA_65 | the seed of the pair, 32 bytes (FIPS 204, xi) |
| HPKE_P256, ECDSA_P256, ECDSA_P384 | PKCS#8 in DER (RFC 5208, RFC 5915) |
| RSA3072_OAEP, RSA4096_OAEP, RSA_PSS | PKCS#8 in DER (RFC 5208, RFC 8017) |

    make     generate
    read     private_key, load_private, check, check_random, from_private_key
    public   public_pem, load_public, public_jwk, fingerprint

Nothing here reads a clock, a file or the network. Errors name what is wrong with a key, never its
value.
"""

from leeward.formats.material.errors import InvalidMaterial
from leeward.formats.material.private import (
    ALGORITHMS,
    SIZES,
    PrivateKey,
    Random,
    check,
    check_random,
    from_private_key,
    generate,
    load_private,
    private_key,
    private_pem,
    public_pem,
    size_limit,
)
from leeward.formats.material.public import (
    RSA_BITS,
    PublicKey,
    check_public,
    fingerprint,
    load_public,
    pem_of,
    public_der,
    public_jwk,
)
from leeward.formats.material.xwing import XWingPrivateKey, XWingPublicKey

__all__ = [
    "ALGORITHMS",
    "RSA_BITS",
    "SIZES",
    "InvalidMaterial",
    "PrivateKey",
    "PublicKey",
    "Random",
    "XWingPrivateKey",
    "XWingPublicKey",
    "check",
    "check_public",
    "check_random",
    "fingerprint",
    "from_private_key",
    "generate",
    "load_private",
    "load_public",
    "pem_of",
    "private_key",
    "private_pem",
    "public_der",
    "public_jwk",
    "public_pem",
    "size_limit",
]
