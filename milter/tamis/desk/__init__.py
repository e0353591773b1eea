"""What is done about records, for the people that they are about and for the law."""
