"""How the MTA on this host is connected to Tamis: reads its configuration, changes nothing."""
