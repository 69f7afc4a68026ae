"""Origins of a vault key other than random bytes: a passphrase, another key, one from elsewhere.

    passphrase   Derivation, from_passphrase: PBKDF2, scrypt, Argon2id
    derive       DerivedKey, derive_key: HKDF
    import       import_key: PEM, JWK, Tink, plain bytes

Pure functions: they get bytes and give material as ``leeward.formats.material`` has it, or raise an
``OriginError`` that says what is wrong and what to do. None of them reads a Secret, a clock or a
file. Those that are slow say so: they belong into a worker thread.
"""

from leeward.keystore.origins.derive import DerivedKey, derive_key
from leeward.keystore.origins.errors import (
    ImportRefusedError,
    NotDerivableError,
    OriginError,
    PassphraseError,
    SecretMemberError,
    SecretMissingError,
    SecretUnchangedError,
    WeakPassphraseError,
)
from leeward.keystore.origins.importing import ImportFormat, import_key
from leeward.keystore.origins.members import member
from leeward.keystore.origins.passphrase import Derivation, Kdf, from_passphrase
from leeward.keystore.origins.seeds import seed_size

__all__ = [
    "Derivation",
    "DerivedKey",
    "ImportFormat",
    "ImportRefusedError",
    "Kdf",
    "NotDerivableError",
    "OriginError",
    "PassphraseError",
    "SecretMemberError",
    "SecretMissingError",
    "SecretUnchangedError",
    "WeakPassphraseError",
    "derive_key",
    "from_passphrase",
    "import_key",
    "member",
    "seed_size",
]
