-- What a result has to be measured against.
select j.state, j.attempts, j.gt_id, j.target_id,
    j.gt_revision <> g.revision or j.target_revision <> t.revision,
    g.state = 'gone' or t.state = 'gone', j.worker
from job j
join image g on g.id = j.gt_id
join image t on t.id = j.target_id
where j.id = :job
