"""Certificates: the authority that a version of a signing key is, and the leaves that it issues.

The certificate of an authority is public and stands in the keyset beside its version; it is made
once and goes when the version is destroyed. Private keys of leaves stand nowhere: each is derived
from the version's own key by HKDF (RFC 5869) and a number that is drawn when it is issued, so that
the Secret of a pod can be written again without a record of it, and a process that is killed at any
moment leaves nothing behind.
"""

import datetime
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from leeward.formats.certificates import (
    CertificatePair,
    CertificateRefusedError,
    LeafRequest,
    certificates_id,
)
from leeward.formats.document import canonical_json
from leeward.formats.wrapped import WrappedKeyset, WrappedVaultKey, WrappedVersion
from leeward.keystore.certificates import (
    AuthorityError,
    Leaf,
    NameConstraints,
    authority_subject,
    issue_leaf,
    issue_signer,
    make_authority,
    new_serial,
)
from leeward.keystore.certificates.signers import new_signing_key
from leeward.keystore.records import keyset_secret, replacement
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.vaults import KeyFaultError, VaultKeys
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.model import (
    EnsureAuthority,
    IssuedLeaf,
    IssueLeaf,
    LeafEntry,
    LeafKey,
    Manifest,
    Outcome,
)

CLUSTER_SUFFIXES: Final = ("svc", "svc.cluster.local")
"""Every authority may name Services: whose, is checked before it issues."""
_STREAM: Final = 512
"""Bytes that a leaf may draw: its key needs 56 at most, its serial number 20."""


class Issuing:
    """Makes authorities, and leaves under them."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
        vaults: VaultKeys,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._vaults = vaults

    async def perform(self, action: EnsureAuthority | IssueLeaf) -> Outcome:
        """Do it; doing it again changes nothing."""
        try:
            if isinstance(action, EnsureAuthority):
                return await self._ensure(action)
            return await self._issue(action)
        except (AuthorityError, CertificateRefusedError) as error:
            return Outcome("Invalid", str(error))

    async def pair(self, entry: LeafEntry) -> CertificatePair | None:
        """The private key of a leaf that was issued, with its certificate; None: it is gone.

        Raises:
            KeyFaultError: The vault key does not open.
            InvalidPairError: The certificate is of another key.
        """
        found = await self._version(entry.leaf)
        if found is None:
            return None
        _, keyset, key, version = found
        stream = await self._stream(keyset, key, version, entry.leaf)
        made = new_signing_key(entry.leaf.algorithm, stream)
        private = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        material = CertificatePair(private, entry.certificate).material()
        return CertificatePair.from_material(material)

    async def _ensure(self, action: EnsureAuthority) -> Outcome:
        found = await self._vaults.read(action.namespace, action.vault)
        key = found[1].key(action.key) if found else None
        if found is None or key is None:
            return Outcome("Missing", f"key {action.key} is not in the keyset")
        secret, keyset = found
        history = [await self._certified(action, keyset, key, v) for v in key.history]
        if history != key.history:
            changed = key.model_copy(update={"history": history})
            keys = [changed if k.name == key.name else k for k in keyset.keys]
            keyset = keyset.model_copy(update={"keys": keys})
            put = replacement(secret, keyset_secret(self._namespace, keyset))
            await self._client.replace(put, MANAGER)
        return Outcome("Done", result=await self._vaults.info(keyset))

    async def _certified(
        self,
        action: EnsureAuthority,
        keyset: WrappedKeyset,
        key: WrappedVaultKey,
        version: WrappedVersion,
    ) -> WrappedVersion:
        """A version with the certificate of the authority that it is."""
        if version.certificate is not None or version.wrapped is None:
            return version
        material = await self._vaults.fixed(keyset, key, version.version)
        if material is None:
            raise AuthorityError(f"version {version.version} has no pair of its own: rotate it")
        names = (keyset.vault_namespace, keyset.vault, key.name, version.version)
        certificate = make_authority(
            key.algorithm,
            material.material,
            authority_subject(*names),
            new_serial(self._random),
            self._now(),
            datetime.timedelta(seconds=action.lifetime),
            NameConstraints((*action.dns_suffixes, *CLUSTER_SUFFIXES), (action.trust_domain,)),
        )
        return version.model_copy(update={"certificate": certificate})

    async def _issue(self, action: IssueLeaf) -> Outcome:
        found = await self._version(action.leaf)
        if found is None:
            return Outcome("Missing", f"version {action.leaf.version} of the key is not there")
        _, keyset, key, version = found
        authority = version.certificate
        material = await self._vaults.fixed(keyset, key, version.version)
        if authority is None or material is None:
            raise AuthorityError(f"version {version.version} is no authority (yet): wait for it")
        stream = await self._stream(keyset, key, version, action.leaf)
        place = (authority, key.algorithm, material.material)
        leaf: Leaf
        if isinstance(action.request, LeafRequest):
            leaf = issue_leaf(*place, action.request, action.at, stream)
        else:
            leaf = issue_signer(*place, action.request, action.at, stream)
        issued = IssuedLeaf(
            id=certificates_id(leaf.certificate_pem),
            certificate=leaf.certificate_pem,
            not_after=timestamp(leaf.not_after),
            renew_at=timestamp(leaf.renew_at),
        )
        return Outcome("Done", result=issued)

    async def _version(
        self, leaf: LeafKey
    ) -> tuple[Manifest, WrappedKeyset, WrappedVaultKey, WrappedVersion] | None:
        found = await self._vaults.read(leaf.vault_namespace, leaf.vault)
        key = found[1].key(leaf.key) if found else None
        if found is None or key is None:
            return None
        version = next((v for v in key.history if v.version == leaf.version), None)
        if version is None or version.wrapped is None:
            return None
        return *found, key, version

    async def _stream(
        self,
        keyset: WrappedKeyset,
        key: WrappedVaultKey,
        version: WrappedVersion,
        leaf: LeafKey,
    ) -> Callable[[int], bytes]:
        """What a leaf draws: the same bytes whenever it is asked for."""
        place = ["leeward.dev/leaf-key", 1, keyset.vault_id, key.name, version.version]
        info = canonical_json([*place, leaf.algorithm, leaf.draw])
        secret = await self._vaults.open(keyset, key, version.version)
        drawn = HKDF(SHA256(), _STREAM, None, info).derive(secret)
        position = 0

        def take(size: int) -> bytes:
            nonlocal position
            if position + size > _STREAM:
                raise KeyFaultError("Damaged")
            position += size
            return drawn[position - size : position]

        return take
