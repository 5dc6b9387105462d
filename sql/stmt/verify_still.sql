-- For pairmill verify: whether a done job is still the one that was looked at.
select 1
from job j
left join result r on r.job_id = j.id
where j.id = :job and j.state = 'done' and r.finished_us is :finished_us
