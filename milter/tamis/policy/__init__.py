"""Policy: facts and preferences in, decisions and plans out; no mail, no clock, no network."""
