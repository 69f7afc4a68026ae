"""What can be wrong with key material."""


class InvalidMaterial(ValueError):  # noqa: N818 - says what is wrong with the key
    """Key material of the wrong kind, length or encoding; the message never holds the value."""
