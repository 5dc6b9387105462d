-- A file seen for the first time.
insert into image (source_id, scene_id, role, path, name, size, mtime_ns, inode, since_us)
values (:source, :scene, :role, :path, :name, :size, :mtime_ns, :inode, :now)
