-- For pairmill export --crops: a row for each crop that was written, with its files; :scene NULL:
-- all. x, y: where it lies in the overlap.
select r.scene as scene,
    r.gt_path as gt_path,
    r.target_path as target_path,
    k.x as x,
    k.y as y,
    k.width as width,
    k.height as height,
    k.valid as valid,
    r.gain as gain,
    r.dy as dy,
    r.dx as dx,
    r.loss as loss,
    r.mask_mean as mask_mean,
    r.confidence as confidence,
    r.flags as flags,
    s.name as source,
    r.output_dir || '/crops/' || k.x || '_' || k.y || '.gt.tif' as gt_file,
    r.output_dir || '/crops/' || k.x || '_' || k.y || '.target.tif' as target_file,
    r.output_dir || '/crops/' || k.x || '_' || k.y || '.mask.png' as mask_file
from result r
join job j on j.id = r.job_id
join source s on s.id = j.source_id
join crop k on k.job_id = r.job_id and k.written
where r.held = 0 and (:scene is null or r.scene = :scene)
order by r.scene, r.gt_path, r.target_path, s.name, k.y, k.x
