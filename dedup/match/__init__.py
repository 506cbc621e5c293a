"""From candidates to groups and stories."""
