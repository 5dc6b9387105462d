-- For pairmill verify: pairs about to be done. An output of theirs may lie there, of an earlier time
-- or published and not committed yet.
select s.output, c.path, g.path, t.path
from job j
join source s on s.id = j.source_id
join scene c on c.id = j.scene_id
join image g on g.id = j.gt_id
join image t on t.id = j.target_id
where j.state in ('queued', 'running')
