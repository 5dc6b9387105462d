-- What a worker has to know. Gts are told apart by row and revision (the brackets matter: all these
-- operators bind alike in SQLite).
select j.id, j.attempts, c.path, s.input, g.path, t.path, s.output,
    g.size, g.mtime_ns, g.inode, t.size, t.mtime_ns, t.inode,
    (g.id << 20) | (g.revision & 0xfffff), (t.id << 20) | (t.revision & 0xfffff)
from job j
join source s on s.id = j.source_id
join scene c on c.id = j.scene_id
join image g on g.id = j.gt_id
join image t on t.id = j.target_id
where j.id = :job
