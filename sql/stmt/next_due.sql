-- When the next delayed job is due.
select not_before_us from job
where state = 'queued' and not_before_us > 0
order by not_before_us limit 1
