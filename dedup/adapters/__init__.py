"""Who else calls the program: crawlers, pipelines, and the records that extractors give."""
