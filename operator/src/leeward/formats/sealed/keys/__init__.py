"""Who can open a sealed file: one class, or one pair of classes, per recipient kind.

| kind | name | seals | opens |
|---|---|---|---|
| 1 | artefact | ArtefactKey | the same |
| 2 | hpke-x25519 | HpkePublicKey | HpkePrivateKey |
| 3 | hpke-p256 | HpkeP256PublicKey | HpkeP256PrivateKey |
| 4 | hpke-mlkem768-x25519 | HpkeHybridPublicKey | HpkeHybridPrivateKey |
| 5 | rsa-oaep-sha256 | RsaOaepPublicKey | RsaOaepPrivateKey |
| 6 | artefact-chacha20-poly1305 | ArtefactChaCha20Key | the same |
| 7 | artefact-fernet | ArtefactFernetKey | the same |

All bind the wrapped key to the file id and the key id, so an entry moved to another file does not
unwrap there. Where the kind is not known beforehand, `factories` has what is needed. A later kind
is one more class with the next registered number (docs/formats/lwe1.md).
"""

from leeward.formats.sealed.keys.base import (
    KIND_NAMES,
    Kind,
    Random,
    Recipient,
    UnwrapError,
    Unwrapper,
)
from leeward.formats.sealed.keys.factories import (
    SEALING_ALGORITHMS,
    recipient_from_pem,
    recipient_of,
    unwrapper_from_pem,
    unwrapper_of,
)
from leeward.formats.sealed.keys.hpke import (
    HpkeHybridPrivateKey,
    HpkeHybridPublicKey,
    HpkeP256PrivateKey,
    HpkeP256PublicKey,
    HpkePrivateKey,
    HpkePublicKey,
)
from leeward.formats.sealed.keys.pairs import PrivateHalf, PublicHalf
from leeward.formats.sealed.keys.rsa import RsaOaepPrivateKey, RsaOaepPublicKey
from leeward.formats.sealed.keys.symmetric import (
    ArtefactChaCha20Key,
    ArtefactFernetKey,
    ArtefactKey,
    SymmetricKey,
)

__all__ = [
    "KIND_NAMES",
    "SEALING_ALGORITHMS",
    "ArtefactChaCha20Key",
    "ArtefactFernetKey",
    "ArtefactKey",
    "HpkeHybridPrivateKey",
    "HpkeHybridPublicKey",
    "HpkeP256PrivateKey",
    "HpkeP256PublicKey",
    "HpkePrivateKey",
    "HpkePublicKey",
    "Kind",
    "PrivateHalf",
    "PublicHalf",
    "Random",
    "Recipient",
    "RsaOaepPrivateKey",
    "RsaOaepPublicKey",
    "SymmetricKey",
    "UnwrapError",
    "Unwrapper",
    "recipient_from_pem",
    "recipient_of",
    "unwrapper_from_pem",
    "unwrapper_of",
]
