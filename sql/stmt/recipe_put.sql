-- The settings in force.
insert into recipe (hash, json, current, first_us) values (:hash, :json, :current, :now)
on conflict (hash) do update
set current = max(current, excluded.current), json = coalesce(json, excluded.json)
