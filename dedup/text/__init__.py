"""Arabic text: the matching key, blocks, and raw dumps."""
