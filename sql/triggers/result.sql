-- Sums of each scene's results, so that their means need no walk over the results.
drop trigger if exists result_added;
create trigger result_added after insert on result when new.held = 0
begin
    insert into scene_total values (new.scene_id, 1, coalesce(new.loss, 0), coalesce(new.gain, 0),
        coalesce(new.mask_mean, 0), new.crops)
    on conflict do update
    set n = n + 1, loss = loss + excluded.loss, gain = gain + excluded.gain,
        mask_mean = mask_mean + excluded.mask_mean, crops = crops + excluded.crops;
end;

drop trigger if exists result_left;
create trigger result_left after delete on result when old.held = 0
begin
    update scene_total
    set n = n - 1,
        loss = iif(n = 1, 0.0, loss - coalesce(old.loss, 0)),
        gain = iif(n = 1, 0.0, gain - coalesce(old.gain, 0)),
        mask_mean = iif(n = 1, 0.0, mask_mean - coalesce(old.mask_mean, 0)),
        crops = crops - old.crops
    where scene_id = old.scene_id;
end;

-- Also in a shell that does not enforce foreign keys: what stayed behind would be in the way of the
-- next result of the job.
drop trigger if exists result_emptied;
create trigger result_emptied before delete on result
begin
    delete from crop where job_id = old.job_id;
    delete from record where job_id = old.job_id;
    delete from tile_map where job_id = old.job_id;
end;
