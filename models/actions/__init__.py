"""Every write. Each changes one thing, adds its audit entry and never commits: the caller's transaction does."""
