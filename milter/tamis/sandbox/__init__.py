"""A small SMTP server that calls a milter as an MTA does, for trying Tamis without one."""
