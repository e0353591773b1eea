"""What a configuration promises to users: in their words, and beside what it promised before."""
