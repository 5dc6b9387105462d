-- One result a job. Its former one, if any, went when the job was queued again.
insert into result
select :job, j.scene_id, s.name, g.name, t.name, :held, :dy, :dx, :method, :backend, :fallback,
    :loss, :gain, :mask_mean, :crops, :windows, :sub_dy, :sub_dx, :confidence, :flags,
    :evaluations, :search_us, :loss_us, :total_us, :gt_x, :gt_y, :target_x, :target_y, :width,
    :height, :output_dir, :gt_hash, :target_hash, :recipe, :version, :worker, :gt_cached,
    :started_us, :finished_us, :sub_dy_error, :sub_dx_error, :second_peak, :gain_r, :gain_g,
    :gain_b, :rotation_deg, :rotation_error_deg, :scale, :scale_error, :parallax_px,
    :parallax_error_px, :tiles
from job j
join scene s on s.id = j.scene_id
join image g on g.id = j.gt_id
join image t on t.id = j.target_id
where j.id = :job
