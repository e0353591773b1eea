"""The same as the pages, for programs: a JSON API."""
