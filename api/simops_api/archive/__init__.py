"""Jobs whose object is gone (TTL, deleted): their records in the store, one by its name (reader) and many by time (history)."""
