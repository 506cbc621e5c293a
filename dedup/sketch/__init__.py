"""From blocks to candidates: shingles, MinHash, LSH."""

from dedup.engines import compiled as compiled  # before any kernel is loaded
