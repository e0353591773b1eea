"""What is said to users, in their languages."""
