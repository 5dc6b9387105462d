-- For pairmill report: how many results carry each flag.
select f.value as flag,
    count(*) as pairs
from result r
join json_each('["' || replace(r.flags, ',', '","') || '"]') f
where r.held = 0 and r.flags <> ''
group by f.value
order by pairs desc, flag
