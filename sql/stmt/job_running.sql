-- Left by a dead owner.
select id, worker, attempts from job where state = 'running'
