-- A target that is there now, with every gt of its scene.
insert into job (source_id, scene_id, gt_id, target_id, gt_revision, target_revision, state,
    queued_us)
select t.source_id, t.scene_id, g.id, t.id, g.revision, t.revision, 'queued', :now
from image t
join image g on g.scene_id = t.scene_id and g.role = 'gt' and g.state = 'present'
where t.id = :image
order by g.id
on conflict do nothing
