-- For pairmill report: what went wrong, by reason and step, with one message of each.
select code,
    stage,
    count(*) as pairs,
    min(message) as example
from job
where state in ('failed', 'quarantined')
group by code, stage
order by pairs desc, code, stage
