-- The first and the last files of a source, to see whether a folder holds them.
select path, size, mtime_ns from image
where id in (select id from image where source_id = :source and state = 'present'
        order by id limit 16)
    or id in (select id from image where source_id = :source and state = 'present'
        order by id desc limit 16)
