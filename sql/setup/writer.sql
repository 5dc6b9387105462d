-- What the one writing connection needs; WAL mode is kept in the file, the rest is the
-- connection's.
pragma journal_mode = wal;
pragma synchronous = full;
pragma foreign_keys = on;
pragma journal_size_limit = 4194304;
pragma cache_size = -65536;
pragma temp_store = memory;
