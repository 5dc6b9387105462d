-- For the summary of a run: results of its sources that an earlier run published in other folders.
select count(*) as pairs, min(r.output_dir) as example
from source s
join job j on j.source_id = s.id
join result r on r.job_id = j.id
where s.active and r.held = 0
    and substr(r.output_dir, 1, length(s.output_text) + 1) <> s.output_text || '/'
