"""How sources are fetched and read; each source is a contract, this package holds what several share."""
