-- All active sources together.
select coalesce(sum(c.waiting), 0), coalesce(sum(g.settling), 0), coalesce(sum(c.queued), 0),
    coalesce(sum(c.running), 0), coalesce(sum(c.done), 0), coalesce(sum(c.failed), 0),
    coalesce(sum(c.quarantined), 0), coalesce(sum(c.missing), 0), coalesce(sum(c.ready), 0),
    coalesce((select value from control where name = 'paused'), 0) or coalesce(min(s.paused), 0)
from source s
join source_count c on c.source_id = s.id
join gauge g on g.source_id = s.id
where s.active
