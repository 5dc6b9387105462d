-- Whose file this is: our application_id, or nothing in it at all.
select (select application_id from pragma_application_id),
    (select user_version from pragma_user_version),
    (select count(*) from sqlite_schema)
