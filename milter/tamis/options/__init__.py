"""The web page of users: `tamis options`."""
