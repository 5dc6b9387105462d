-- Counters of jobs by state, the moves a job may make, and that a result lives no longer than its
-- job rests in done or failed.
drop trigger if exists job_added;
create trigger job_added after insert on job
begin
    update source_count
    set queued = queued + (new.state = 'queued'),
        ready = ready + (new.state = 'queued' and new.not_before_us = 0),
        running = running + (new.state = 'running'),
        done = done + (new.state = 'done'),
        failed = failed + (new.state = 'failed'),
        quarantined = quarantined + (new.state = 'quarantined'),
        missing = missing + (new.state = 'missing')
    where source_id = new.source_id;
    update scene
    set queued = queued + (new.state = 'queued'), running = running + (new.state = 'running'),
        done = done + (new.state = 'done'), failed = failed + (new.state = 'failed'),
        quarantined = quarantined + (new.state = 'quarantined'),
        missing = missing + (new.state = 'missing')
    where id = new.scene_id;
end;

-- pairmill deletes no job; people do, in shells that do not enforce foreign keys.
drop trigger if exists job_deleted;
create trigger job_deleted before delete on job
begin
    delete from result where job_id = old.id;
    delete from timing where job_id = old.id;
    update source_count
    set queued = queued - (old.state = 'queued'),
        ready = ready - (old.state = 'queued' and old.not_before_us = 0),
        running = running - (old.state = 'running'),
        done = done - (old.state = 'done'),
        failed = failed - (old.state = 'failed'),
        quarantined = quarantined - (old.state = 'quarantined'),
        missing = missing - (old.state = 'missing')
    where source_id = old.source_id;
    update scene
    set queued = queued - (old.state = 'queued'), running = running - (old.state = 'running'),
        done = done - (old.state = 'done'), failed = failed - (old.state = 'failed'),
        quarantined = quarantined - (old.state = 'quarantined'),
        missing = missing - (old.state = 'missing')
    where id = old.scene_id;
end;

drop trigger if exists job_refused;
create trigger job_refused before update of state on job
when old.state <> new.state and not exists (
    select 1 from job_move where from_state = old.state and to_state = new.state)
begin
    select raise(abort, 'a job may not make this move: see job_move');
end;

drop trigger if exists job_moved;
create trigger job_moved after update of state on job when old.state <> new.state
begin
    update source_count
    set queued = queued + (new.state = 'queued') - (old.state = 'queued'),
        ready = ready + (new.state = 'queued' and new.not_before_us = 0)
            - (old.state = 'queued' and old.not_before_us = 0),
        running = running + (new.state = 'running') - (old.state = 'running'),
        done = done + (new.state = 'done') - (old.state = 'done'),
        failed = failed + (new.state = 'failed') - (old.state = 'failed'),
        quarantined = quarantined + (new.state = 'quarantined') - (old.state = 'quarantined'),
        missing = missing + (new.state = 'missing') - (old.state = 'missing')
    where source_id = new.source_id;
    update scene
    set queued = queued + (new.state = 'queued') - (old.state = 'queued'),
        running = running + (new.state = 'running') - (old.state = 'running'),
        done = done + (new.state = 'done') - (old.state = 'done'),
        failed = failed + (new.state = 'failed') - (old.state = 'failed'),
        quarantined = quarantined + (new.state = 'quarantined') - (old.state = 'quarantined'),
        missing = missing + (new.state = 'missing') - (old.state = 'missing')
    where id = new.scene_id;
end;

drop trigger if exists job_delayed;
create trigger job_delayed after update of not_before_us on job
when old.state = 'queued' and new.state = 'queued'
    and (old.not_before_us = 0) <> (new.not_before_us = 0)
begin
    update source_count
    set ready = ready + (new.not_before_us = 0) - (old.not_before_us = 0)
    where source_id = new.source_id;
end;

drop trigger if exists job_left;
create trigger job_left after update of state on job
when old.state in ('done', 'failed') and new.state not in ('done', 'failed')
begin
    delete from result where job_id = old.id;
end;

drop trigger if exists source_added;
create trigger source_added after insert on source
begin
    insert into source_count (source_id) values (new.id);
    insert into gauge values (new.id, 0, 0, 0);
end;

drop trigger if exists source_deleted;
create trigger source_deleted before delete on source
begin
    delete from scene where source_id = old.id;
    delete from source_count where source_id = old.id;
    delete from gauge where source_id = old.id;
end;
