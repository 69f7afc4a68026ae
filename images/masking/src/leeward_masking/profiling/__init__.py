"""What columns hold, and how far they tell who somebody is, alone and together."""
