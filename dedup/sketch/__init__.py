"""From blocks to candidates: shingles, MinHash, LSH."""
