-- What is known of a file; its identity is the path below its source.
select id, scene_id, role, size, mtime_ns, inode, state, doubted
from image where source_id = :source and path = :path
