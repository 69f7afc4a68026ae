"""The ``leeward`` command, also ``kubectl leeward``."""
