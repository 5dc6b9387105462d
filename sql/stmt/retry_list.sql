-- Jobs a person wants done again, in slices by id; only when their inputs are there as far as we
-- know. Stale ones are done with settings that are no longer in force.
select j.id
from job j
where j.id > :after
    and (:job = 0 or j.id = :job)
    and ((:failed and j.state = 'failed') or (:quarantined and j.state = 'quarantined')
        or (:done and j.state = 'done') or (:missing and j.state = 'missing')
        or (:stale and j.state = 'done' and exists (
            select 1 from result r join recipe p on p.id = r.recipe_id
            where r.job_id = j.id and p.current = 0)))
    and (:scene is null or exists (
        select 1 from scene s where s.id = j.scene_id and s.name = :scene))
    and not exists (
        select 1 from image i where i.id in (j.gt_id, j.target_id) and i.state = 'gone')
order by j.id limit :limit
