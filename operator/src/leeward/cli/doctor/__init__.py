"""``leeward doctor``: facts are gathered first, then pure checks judge them, one per question."""
