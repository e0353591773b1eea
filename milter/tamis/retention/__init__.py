"""How long each class of records is kept, by which promise, and what is due when; no clock, no files."""
