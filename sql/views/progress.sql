-- How far each source is; one that left the configuration is shown while it has pairs.
-- waiting: files without their partner; percent: done of all pairs.
drop view if exists progress;
create view progress as
select s.name as source,
    c.waiting as waiting,
    g.settling as settling,
    c.queued as queued,
    c.running as running,
    c.done as done,
    c.failed as failed,
    c.quarantined as quarantined,
    c.missing as missing,
    c.queued + c.running + c.done + c.failed + c.quarantined + c.missing as total,
    round(100.0 * c.done
        / nullif(c.queued + c.running + c.done + c.failed + c.quarantined + c.missing, 0), 1)
        as percent,
    s.paused or coalesce((select value from control where name = 'paused'), 0) as paused,
    s.active as active,
    g.watching as watching,
    g.ignored as ignored
from source s
join source_count c on c.source_id = s.id
join gauge g on g.source_id = s.id
where s.active
    or c.waiting + c.queued + c.running + c.done + c.failed + c.quarantined + c.missing > 0;
