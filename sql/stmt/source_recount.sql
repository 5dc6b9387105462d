-- How many files wait depends on the pairing options; the rule is that of trigger scene_sides.
update source_count
set waiting = (
    select coalesce(sum(case
            when c.gts = 0 then c.targets
            when c.targets > 0 or s.pair_self or (s.pair_gt_gt and c.gts > 1) then 0
            else c.gts
        end), 0)
    from scene c join source s on s.id = c.source_id
    where c.source_id = :source and (c.gts = 0 or c.targets = 0))
where source_id = :source
