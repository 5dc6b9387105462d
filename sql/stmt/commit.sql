-- With synchronous=FULL the log is on disk when this returns.
commit
