"""Downloads files from the Hub and from buckets."""
