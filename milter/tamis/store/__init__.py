"""Settings, accounts and tickets in SQL."""
