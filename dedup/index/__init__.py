"""What earlier runs have seen: kept in one SQLite file."""
