-- gt x gt pairs of a whole source, when its options begin to ask for them.
insert into job (source_id, scene_id, gt_id, target_id, gt_revision, target_revision, state,
    queued_us)
select g.source_id, g.scene_id, g.id, t.id, g.revision, t.revision, 'queued', :now
from source s
join scene c on c.source_id = s.id
join image g on g.scene_id = c.id and g.role = 'gt' and g.state = 'present'
join image t on t.scene_id = c.id and t.role = 'gt' and t.state = 'present'
where s.id = :source and iif(g.id = t.id, s.pair_self, s.pair_gt_gt)
on conflict do nothing
