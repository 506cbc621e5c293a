"""Arabic text: the matching key, blocks, and raw dumps."""

from dedup.engines import compiled as compiled  # before any kernel is loaded
