-- How many images each scene has, and how many of them wait for a partner.
drop trigger if exists image_added;
create trigger image_added after insert on image when new.state = 'present'
begin
    update scene
    set gts = gts + (new.role = 'gt'), targets = targets + (new.role = 'target')
    where id = new.scene_id;
end;

drop trigger if exists image_moved;
create trigger image_moved after update of state on image when old.state <> new.state
begin
    update scene
    set gts = gts + iif(new.role = 'gt', iif(new.state = 'present', 1, -1), 0),
        targets = targets + iif(new.role = 'target', iif(new.state = 'present', 1, -1), 0)
    where id = new.scene_id;
end;

-- A side waits while the other is empty; gts need no targets when they are paired among themselves.
drop trigger if exists scene_sides;
create trigger scene_sides after update of gts, targets on scene
begin
    update source_count
    set waiting = waiting + (
        select case
                when new.gts = 0 then new.targets
                when new.targets > 0 or s.pair_self or (s.pair_gt_gt and new.gts > 1) then 0
                else new.gts
            end - case
                when old.gts = 0 then old.targets
                when old.targets > 0 or s.pair_self or (s.pair_gt_gt and old.gts > 1) then 0
                else old.gts
            end
        from source s where s.id = new.source_id)
    where source_id = new.source_id;
end;

-- pairmill deletes no image and no scene; people do. The next walk finds the files anew.
drop trigger if exists image_deleted;
create trigger image_deleted before delete on image
begin
    delete from job where gt_id = old.id or target_id = old.id;
    update scene
    set gts = gts - (old.role = 'gt' and old.state = 'present'),
        targets = targets - (old.role = 'target' and old.state = 'present')
    where id = old.scene_id;
end;

drop trigger if exists scene_deleted;
create trigger scene_deleted before delete on scene
begin
    delete from image where scene_id = old.id;
    delete from scene_total where scene_id = old.id;
end;
