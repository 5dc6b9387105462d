-- The same file by size and mtime, copied or mounted anew: no new revision.
update image set inode = :inode where id = :image
