-- For pairmill report: when, of what, and all pairs together.
select strftime('%Y-%m-%dT%H:%M:%SZ', 'now') as at,
    (select value from control where name = 'program_version') as version,
    count(*) as pairs,
    coalesce(sum(crops), 0) as crops,
    coalesce(sum(windows - crops), 0) as windows_left_out,
    round(avg(loss), 6) as mean_loss,
    round(avg(mask_mean), 4) as mean_mask,
    coalesce(sum(confidence < 0.5), 0) as doubtful,
    coalesce(sum(flags <> ''), 0) as flagged
from result
where held = 0
