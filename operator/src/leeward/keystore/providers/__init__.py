"""Key providers: what wraps the versions of vault keys. ``port`` says what each of them can do."""
