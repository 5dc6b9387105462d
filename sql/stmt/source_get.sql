-- To see what a new configuration changes.
select id, pair_gt_gt, pair_self, output from source where name = :name
