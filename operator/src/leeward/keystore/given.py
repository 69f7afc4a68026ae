"""What stewards put into Secrets of the operator's namespace: tokens, passphrases, keys to import.

Whoever may write a KeyVault names such a Secret in it, so the Secret itself says for which KeyVault
it is: else a tenant could have the operator use what another one put there.
"""

import base64
import binascii
from typing import Final

from leeward.keystore.records import secret_ref
from leeward.keystore.rootkey import SecretClient
from leeward.kube.errors import NotFoundError

FOR_ANNOTATION: Final = "leeward.dev/for"
"""On a Secret: the KeyVault that may use it (``namespace/name``), or several with commas."""


class GivenSecrets:
    """Reads values that are meant for a KeyVault."""

    def __init__(self, client: SecretClient, namespace: str) -> None:
        """Make a reader; it reads nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
        """
        self._client = client
        self._namespace = namespace

    async def read(self, name: str, key: str, vault: str) -> bytes | None:
        """One value; None: it is not there, or not for this KeyVault.

        The two are not told apart, so that nobody learns what is there for others.

        Args:
            name: Of the Secret.
            key: Which of its values.
            vault: The KeyVault that names it, ``namespace/name``.

        Raises:
            FaultError: It cannot be read now.
        """
        try:
            secret = await self._client.get(secret_ref(self._namespace, name))
        except NotFoundError:
            return None
        allowed = (secret["metadata"].get("annotations") or {}).get(FOR_ANNOTATION, "")
        value = (secret.get("data") or {}).get(key)
        if value is None or vault not in {word.strip() for word in allowed.split(",")}:
            return None
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return None
