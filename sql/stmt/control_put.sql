-- Remembers one fact.
insert into control (name, value) values (:name, :value)
on conflict do update set value = excluded.value where value is not excluded.value
