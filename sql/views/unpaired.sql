-- Files whose scene has no partner for them yet. The scenes come first, by their small index: they
-- are few where the images are many.
drop view if exists unpaired;
create view unpaired as
select s.name as scene,
    i.name as path,
    i.role as role,
    unixepoch('now') - i.since_us / 1000000 as waiting_s,
    c.name as source
from scene s indexed by scene_unpaired
cross join source c on c.id = s.source_id
cross join image i on i.scene_id = s.id
where (s.gts = 0 or s.targets = 0)
    and i.state = 'present'
    and (i.role = 'target' or not (c.pair_self or (c.pair_gt_gt and s.gts > 1)));
