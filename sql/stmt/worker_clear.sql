-- The workers of a former owner are no more.
delete from worker
