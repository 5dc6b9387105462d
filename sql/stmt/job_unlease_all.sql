-- A clean end: nothing may stay running without an owner.
update job
set state = 'queued', attempts = max(0, attempts - 1), not_before_us = 0, worker = null,
    started_us = null
where state = 'running'
