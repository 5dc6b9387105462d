-- Where each tile of a result lies: its own gt[y+dy, x+dx] = target[y, x], px; x, y: its centre in
-- gt. Tiles that cannot tell are left out. Ask by job_id: there may be a hundred million rows.
drop view if exists tiles;
create view tiles as
select m.job_id as job_id,
    json_extract(m.map, '$.x[' || (d.key % json_array_length(m.map, '$.x')) || ']') as x,
    json_extract(m.map, '$.y[' || (d.key / json_array_length(m.map, '$.x')) || ']') as y,
    d.value as dy,
    json_extract(m.map, '$.dx[' || d.key || ']') as dx,
    json_extract(m.map, '$.weight[' || d.key || ']') as weight
from tile_map m
join result r on r.job_id = m.job_id and r.held = 0
join json_each(m.map, '$.dy') d
where d.value is not null;
