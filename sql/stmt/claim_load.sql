-- What a worker has to know. Gts are told apart by row and revision (the brackets matter: all these
-- operators bind alike in SQLite). Last, the input of another source with the same output, one that
-- left the settings, whose result for a pair of these names is there and stays.
select j.id, j.attempts, c.path, s.input, g.path, t.path, s.output,
    g.size, g.mtime_ns, g.inode, t.size, t.mtime_ns, t.inode,
    (g.id << 20) | (g.revision & 0xfffff), (t.id << 20) | (t.revision & 0xfffff), (
        select o.input_text from result r
        join job k on k.id = r.job_id
        join source o on o.id = k.source_id
        where r.target_path = t.name and r.held = 0 and r.gt_path = g.name and r.scene = c.name
            and o.id <> s.id and o.output = s.output
        limit 1)
from job j
join source s on s.id = j.source_id
join scene c on c.id = j.scene_id
join image g on g.id = j.gt_id
join image t on t.id = j.target_id
where j.id = :job
