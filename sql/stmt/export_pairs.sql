-- For pairmill export: a row a pair that is done; :scene NULL: all. By name and without times, so
-- that the same work gives the same text.
select r.scene as scene,
    r.gt_path as gt_path,
    r.target_path as target_path,
    r.dy as dy,
    r.dx as dx,
    r.loss as loss,
    r.gain as gain,
    r.gain_r as gain_r,
    r.gain_g as gain_g,
    r.gain_b as gain_b,
    r.mask_mean as mask_mean,
    r.crops as crops,
    r.windows as windows,
    r.confidence as confidence,
    r.flags as flags,
    r.sub_dy as sub_dy,
    r.sub_dx as sub_dx,
    r.sub_dy_error as sub_dy_error,
    r.sub_dx_error as sub_dx_error,
    r.method as method,
    r.backend as backend,
    r.width as width,
    r.height as height,
    r.gt_x as gt_x,
    r.gt_y as gt_y,
    r.target_x as target_x,
    r.target_y as target_y,
    r.gt_hash as gt_xxh3,
    r.target_hash as target_xxh3,
    d.hash as record_xxh3,
    p.hash as recipe_xxh3,
    r.version as version,
    s.name as source,
    r.output_dir as output_dir
from result r
join job j on j.id = r.job_id
join source s on s.id = j.source_id
left join record d on d.job_id = r.job_id
left join recipe p on p.id = r.recipe_id
where r.held = 0 and (:scene is null or r.scene = :scene)
order by r.scene, r.gt_path, r.target_path, s.name
