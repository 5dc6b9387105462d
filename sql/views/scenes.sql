-- Each scene: its images, its pairs by state, the means of its results.
drop view if exists scenes;
create view scenes as
select c.name as source,
    s.name as scene,
    s.gts as gts,
    s.targets as targets,
    s.queued as queued,
    s.running as running,
    s.done as done,
    s.failed as failed,
    s.quarantined as quarantined,
    s.missing as missing,
    s.queued + s.running + s.done + s.failed + s.quarantined + s.missing as total,
    t.loss / nullif(t.n, 0) as mean_loss,
    t.gain / nullif(t.n, 0) as mean_gain,
    t.mask_mean / nullif(t.n, 0) as mean_mask,
    coalesce(t.crops, 0) as crops
from scene s
left join source c on c.id = s.source_id
left join scene_total t on t.scene_id = s.id;
