-- A gt that is there now, as the target of the other gts of its scene.
insert into job (source_id, scene_id, gt_id, target_id, gt_revision, target_revision, state,
    queued_us)
select t.source_id, t.scene_id, g.id, t.id, g.revision, t.revision, 'queued', :now
from image t
join source s on s.id = t.source_id
join image g on g.scene_id = t.scene_id and g.role = 'gt' and g.state = 'present' and g.id <> t.id
where t.id = :image and s.pair_gt_gt
order by g.id
on conflict do nothing
