"""References between rows, as pure functions on arrays."""
