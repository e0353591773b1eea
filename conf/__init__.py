"""The shipped configuration, and what a private clamd needs."""
