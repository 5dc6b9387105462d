-- For people who ask through the tool; :scene NULL: all, :limit NULL: no limit.
select * from scenes
where :scene is null or scene = :scene
order by source, scene
limit coalesce(:limit, -1)
