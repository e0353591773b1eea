"""Facts about one message: each module finds some, none acts."""
