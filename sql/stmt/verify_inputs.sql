-- For pairmill verify: the inputs a pair.json (:record) says it was made from; NULL: damaged.
select json_extract(iif(json_valid(:record), :record, '{}'), '$.inputs.gt.xxh3'),
    json_extract(iif(json_valid(:record), :record, '{}'), '$.inputs.target.xxh3')
