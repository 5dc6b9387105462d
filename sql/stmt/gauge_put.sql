-- What only the loop knows about a source.
update gauge
set settling = :settling, ignored = :ignored, watching = :watching
where source_id = (select id from source where name = :name)
