-- A gt that is there now, with every target of its scene, and by the options with gts and itself.
insert into job (source_id, scene_id, gt_id, target_id, gt_revision, target_revision, state,
    queued_us)
select g.source_id, g.scene_id, g.id, t.id, g.revision, t.revision, 'queued', :now
from image g
join source s on s.id = g.source_id
join image t on t.scene_id = g.scene_id and t.state = 'present'
    and case when t.role = 'target' then 1 when t.id = g.id then s.pair_self else s.pair_gt_gt end
where g.id = :image
order by t.id
on conflict do nothing
