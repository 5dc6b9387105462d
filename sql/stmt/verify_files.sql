-- For pairmill verify: the files a pair.json (:record) lists; no row for one that is damaged.
select json_extract(f.value, '$.name'), json_extract(f.value, '$.bytes'),
    json_extract(f.value, '$.xxh3')
from json_each(iif(json_valid(:record), :record, '{}'), '$.files') f
