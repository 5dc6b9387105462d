-- Nothing settles while no daemon runs. A source of a database older than the gauges gets its row.
insert into gauge (source_id, settling, ignored, watching)
select id, 0, 0, 0 from source where true
on conflict (source_id) do update set settling = 0, watching = 0
