"""Versioned migrations of the store (Alembic)."""
