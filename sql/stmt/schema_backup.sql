-- A copy of the old database before its schema changes; fails when the copy is already there.
vacuum into :path
