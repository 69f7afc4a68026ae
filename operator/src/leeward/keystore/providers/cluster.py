"""What Transit providers take from the cluster: credentials, authorities, and what is wrapped."""

from collections.abc import Awaitable, Callable
from typing import Final

from leeward.formats.provider import CaReference
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.given import GivenSecrets
from leeward.keystore.providers.port import ProviderCertificateError
from leeward.keystore.providers.transit.config import SecretValue
from leeward.keystore.providers.transit.surroundings import Sources
from leeward.keystore.records import (
    KEYSET_ROLE,
    KEYSET_SELECTOR,
    DamagedRecordError,
    read_document,
)
from leeward.keystore.rootkey import SecretClient
from leeward.kube.errors import NotFoundError
from leeward.plans.shared.model import ObjectRef

_FRESH: Final = 60.0


class ClusterSources:
    """Reads Secrets and keysets for providers."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        service_account_token: Callable[[], Awaitable[str | None]],
    ) -> None:
        """Make it; it reads nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
            service_account_token: Reads the operator's own token for Transit servers.
        """
        self._client = client
        self._namespace = namespace
        self._given = GivenSecrets(client, namespace)
        self._service_account_token = service_account_token

    @property
    def sources(self) -> Sources:
        """As providers take them."""
        return Sources(self._secret, self._service_account_token, self._is_unused)

    async def _secret(self, value: SecretValue) -> str | None:
        found = await self._given.read(value.name, value.key, value.vault)
        try:
            return None if found is None else found.decode()
        except UnicodeDecodeError:
            return ""  # there, and no credential

    async def _is_unused(self, key_id: str) -> bool:
        for secret in await self._client.list(
            "v1", "Secret", self._namespace, labels=KEYSET_SELECTOR
        ):
            try:
                if read_document(secret, WrappedKeyset, KEYSET_ROLE).root_key_id == key_id:
                    return False
            except DamagedRecordError:
                return False
        return True


class CaBundles:
    """Certificate authorities in ConfigMaps, looked at again after a minute."""

    def __init__(self, client: SecretClient, monotonic: Callable[[], float]) -> None:
        """Make a reader; it reads nothing yet.

        Args:
            client: The API server.
            monotonic: Seconds on a clock that never jumps.
        """
        self._client = client
        self._monotonic = monotonic
        self._held: dict[tuple[str, CaReference], tuple[float, str]] = {}

    async def read(self, namespace: str, reference: CaReference) -> str:
        """The authorities in PEM, as they stand there.

        Raises:
            ProviderCertificateError: They are not there.
            FaultError: They cannot be read now.
        """
        now = self._monotonic()
        held = self._held.get((namespace, reference))
        if held is not None and now - held[0] <= _FRESH:
            return held[1]
        ref = ObjectRef("v1", "ConfigMap", namespace, reference.config_map)
        try:
            found = (await self._client.get(ref)).get("data") or {}
        except NotFoundError:
            found = {}
        pem = found.get(reference.key)
        if not isinstance(pem, str):
            raise ProviderCertificateError(
                f"namespace {namespace} has no ConfigMap {reference.config_map} with a value"
                f" {reference.key}",
                f"Make it: kubectl -n {namespace} create configmap {reference.config_map}"
                f" --from-file={reference.key}=FILE, with the certificate of the authority that"
                " issued the server's.",
            )
        self._held = {k: v for k, v in self._held.items() if now - v[0] <= _FRESH}
        self._held[namespace, reference] = (now, pem)
        return pem
