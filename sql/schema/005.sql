-- Failures in the order of their jobs, a screenful at a time. Never edited once released.

-- Without it, the first 50 of hardly any failures were found by walking all jobs.
create index job_failed on job (id) where state in ('failed', 'quarantined');

pragma user_version = 5;
