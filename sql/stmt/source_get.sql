-- To see what a new configuration changes.
select id, pair_gt_gt, pair_self from source where name = :name
