-- Results made with other settings than those in force; `pairmill retry --stale` makes them anew.
-- The recipes come first: they are few, and most results have the current one.
drop view if exists stale;
create view stale as
select r.job_id as job_id,
    r.scene as scene,
    r.gt_path as gt_path,
    r.target_path as target_path,
    p.hash as recipe,
    r.version as version,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.finished_us / 1000000, 'unixepoch') as at
from recipe p
cross join result r on r.recipe_id = p.id
where p.current = 0 and r.held = 0;
