-- For people who ask through the tool; :scene NULL: all, :limit NULL: no limit.
select * from unpaired
where :scene is null or scene = :scene
order by scene, path
limit coalesce(:limit, -1)
