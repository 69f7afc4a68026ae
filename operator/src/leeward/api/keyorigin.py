"""Where the material of a vault key comes from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from leeward.api.meta import Cel, Empty, Model, Name, ObjectName

Kdf = Literal["PBKDF2_SHA256", "SCRYPT", "ARGON2ID"]
ImportFormat = Literal["Auto", "Raw", "Base64", "Hex"]
SecretKeyName = Annotated[str, Field(min_length=1, max_length=253)]


class SecretRef(Model):
    """One value of a Secret in the operator's namespace, where stewards put it."""

    name: ObjectName = Field(
        description="Name of the Secret. Its annotation leeward.dev/for names the KeyVault that may"
        " read it, as clinic/clinic (namespace/name)."
    )
    key: SecretKeyName = Field(description="Which of its values.")


class PassphraseOrigin(Model):
    """The key is made from a passphrase; the salt is random, and shown in the status."""

    secret_ref: SecretRef = Field(description="The passphrase.")
    kdf: Kdf | None = Field(
        default=None,
        description="Key derivation function. Left out: ARGON2ID, in profile Approved"
        " PBKDF2_SHA256.",
    )
    iterations: Annotated[int, Field(ge=600_000, le=10_000_000)] | None = Field(
        default=None, description="Of PBKDF2_SHA256. Left out: 600,000."
    )
    cel: ClassVar = (
        Cel(
            "!has(self.iterations) || (has(self.kdf) && self.kdf == 'PBKDF2_SHA256')",
            "iterations are those of PBKDF2_SHA256: set kdf to it, or leave iterations out",
            field_path=".iterations",
        ),
    )


class DeriveOrigin(Model):
    """The key is derived from another key of this vault (HKDF-SHA256, RFC 5869)."""

    from_key: Name = Field(alias="from", description="The key of this vault that it comes from.")
    info: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="What it is for: another text makes another key."
    )


class ImportOrigin(Model):
    """The key was made elsewhere: PEM, JWK, a Tink keyset in JSON, or the bytes themselves."""

    secret_ref: SecretRef = Field(description="The key.")
    format: ImportFormat = Field(
        default="Auto",
        description="Auto: PEM, JWK, Tink keyset or a key of Fernet, found by what it holds. Raw:"
        " the bytes themselves. Base64 and Hex: the bytes, so written.",
    )
    passphrase_key: SecretKeyName | None = Field(
        default=None, description="The value of the same Secret that opens an encrypted PEM."
    )


class Origin(Model):
    """Where the key material comes from. Exactly one member."""

    generate: Empty | None = Field(default=None, description="Made at random by the operator.")
    passphrase: PassphraseOrigin | None = Field(default=None, description="From a passphrase.")
    derive: DeriveOrigin | None = Field(default=None, description="From another key.")
    import_: ImportOrigin | None = Field(default=None, alias="import", description="From outside.")
    cel: ClassVar = (
        Cel(
            "[has(self.generate), has(self.passphrase), has(self.derive), has(self.__import__)]"
            ".filter(x, x).size() == 1",
            "name exactly one origin: generate, passphrase, derive or import, as generate: {}",
        ),
    )
