"""Processes: the supervisor, its workers, and what hands them their parts."""
