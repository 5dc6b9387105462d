-- Delayed jobs whose time has come. A time further off than any delay can be means that the clock
-- was set back: such a job is due as well.
update job set not_before_us = 0
where state = 'queued' and not_before_us > 0 and (not_before_us <= :now or not_before_us > :horizon)
