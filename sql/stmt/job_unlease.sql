-- Leased but never started, or given up at a clean end: the attempt does not count.
update job
set state = 'queued', attempts = max(0, attempts - 1), not_before_us = 0, worker = null,
    started_us = null
where id = :job
