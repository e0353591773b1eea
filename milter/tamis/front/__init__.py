"""Ways to speak the milter protocol."""
