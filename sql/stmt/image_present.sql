-- The file is there, in this state; a new size or mtime makes a new revision.
update image
set revision = revision + (size <> :size or mtime_ns <> :mtime_ns),
    size = :size, mtime_ns = :mtime_ns, inode = :inode, state = 'present', doubted = 0,
    since_us = :now
where id = :image
