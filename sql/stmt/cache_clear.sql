-- The counters begin with the process.
delete from cache
