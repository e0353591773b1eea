"""Tamis: a milter that filters mail for each recipient as that recipient chose."""

__version__ = "0.1.0"
