"""The operator's overview, behind a sign-in of its own; it names nobody."""
