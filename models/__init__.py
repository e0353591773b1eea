"""The shipped models with their cards."""
