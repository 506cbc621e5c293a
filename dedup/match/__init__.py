"""From candidates to groups and stories."""

from dedup.engines import compiled as compiled  # before any kernel is loaded
