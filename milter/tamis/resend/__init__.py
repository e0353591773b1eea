"""Hands copies of a message to the MTA's own listener, over SMTP (RFC 5321)."""
