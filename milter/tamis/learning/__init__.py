"""Features, training and exported models."""
