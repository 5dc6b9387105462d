-- A worker that makes no progress is to be seen. Never edited once released.
alter table worker add column hangs integer not null default 0;

pragma user_version = 6;
