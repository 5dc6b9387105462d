-- The queue: what was found, what has to be done with it, and who said how. Never edited once
-- released.
--
-- The life of a job (one gt image x one target image). Every move has a row in job_move; a trigger
-- refuses any other.
--
--   new pair
--      |
--      v        claimed: attempt + 1           outputs are durable
--   queued -------------------------> running ---------------------> done
--    ^  ^  \                           | | | \
--    |  |   '--- an input is gone      | | |  '--- will not pass by itself, or held back --> failed
--    |  |              |               | | '------ attempts are spent ---------------> quarantined
--    |  |              v               | |
--    |  |           missing <----------' |
--    |  |                                |
--    |  '-- later again: backoff, changed input, attempt given back, dead owner
--    |
--    '-- from done, failed, quarantined, missing: changed input, returned input, retry
--
-- failed and quarantined become missing, too, when an input goes.
-- done stays done when an input goes: its outputs are there. Times are UTC, microseconds since
-- 1970.

pragma application_id = 0x504d494c;

-- One folder that is watched, by the name it has in the configuration.
create table source (
    id integer primary key,
    name text not null unique,
    input blob not null,                -- bytes of the path
    input_text text not null,
    output blob not null,
    output_text text not null,
    priority integer not null default 0,
    pair_gt_gt integer not null default 0,
    pair_self integer not null default 0,
    active integer not null default 1,  -- 0: no longer in the configuration; its rows stay
    paused integer not null default 0,
    turn integer not null default 0     -- grows with each claim, so that equals take turns
) strict;

-- Any folder with images beside or in gt/; the counters are kept by triggers.
create table scene (
    id integer primary key,
    source_id integer not null references source,
    path blob not null,                 -- below the input; '.' for the input itself
    name text not null,                 -- path, printable
    gts integer not null default 0,     -- present images
    targets integer not null default 0,
    queued integer not null default 0,
    running integer not null default 0,
    done integer not null default 0,
    failed integer not null default 0,
    quarantined integer not null default 0,
    missing integer not null default 0,
    unique (source_id, path)
) strict;
create index scene_name on scene (name);
create index scene_unpaired on scene (source_id) where gts = 0 or targets = 0;

-- One file, whatever its content: a new size or mtime is a new revision of the same row.
create table image (
    id integer primary key,
    source_id integer not null references source,
    scene_id integer not null references scene,
    role text not null check (role in ('gt', 'target')),
    path blob not null,                 -- below the input
    name text not null,                 -- path, printable
    size integer not null,
    mtime_ns integer not null,
    inode integer not null,             -- not part of the identity
    revision integer not null default 1,
    state text not null default 'present' check (state in ('present', 'gone')),
    doubted integer not null default 0, -- a worker did not find it so: the next sighting decides
    since_us integer not null,          -- in this state and revision since
    unique (source_id, path)
) strict;
create index image_scene on image (scene_id, role);
create index image_name on image (name);
create index image_present on image (source_id) where state = 'present';

create table job (
    id integer primary key,
    source_id integer not null references source,
    scene_id integer not null references scene,
    gt_id integer not null references image,
    target_id integer not null references image,
    gt_revision integer not null,       -- the revisions its state speaks of
    target_revision integer not null,
    state text not null check
        (state in ('queued', 'running', 'done', 'failed', 'quarantined', 'missing')),
    attempts integer not null default 0,
    not_before_us integer not null default 0, -- queued: 0 ready, else waits until then
    priority integer not null default 0,      -- among the jobs of its source
    worker integer,
    queued_us integer not null,
    started_us integer,
    finished_us integer,
    code text,                          -- of the last attempt that went wrong
    stage text,
    message text,
    unique (gt_id, target_id)
) strict;
create index job_target on job (target_id);
create index job_ready on job (source_id, priority desc, id)
    where state = 'queued' and not_before_us = 0;
create index job_ready_gt on job (gt_id, priority, id)
    where state = 'queued' and not_before_us = 0;
create index job_delayed on job (not_before_us) where state = 'queued' and not_before_us > 0;
create index job_running on job (worker) where state = 'running';
create index job_failed_scene on job (scene_id) where state in ('failed', 'quarantined');
create index job_failed_code on job (code, scene_id)
    where state in ('failed', 'quarantined');
create index job_quarantined on job (finished_us) where state = 'quarantined';

create table job_move (
    from_state text not null,
    to_state text not null,
    why text not null,
    primary key (from_state, to_state)
) strict, without rowid;
insert into job_move values
    ('queued', 'running', 'claimed'),
    ('queued', 'missing', 'an input is gone'),
    ('running', 'done', 'outputs are durable'),
    ('running', 'queued', 'later again: backoff, changed input, shutdown, dead owner'),
    ('running', 'failed', 'will not pass by itself, or held back'),
    ('running', 'quarantined', 'attempts are spent'),
    ('running', 'missing', 'an input is gone'),
    ('done', 'queued', 'changed input, retry'),
    ('failed', 'queued', 'changed input, retry'),
    ('failed', 'missing', 'an input is gone'),
    ('quarantined', 'queued', 'changed input, retry'),
    ('quarantined', 'missing', 'an input is gone'),
    ('missing', 'queued', 'the input is back');

-- How many jobs of each state a source has, kept by triggers: counting a million rows takes too
-- long.
create table source_count (
    source_id integer primary key references source on delete cascade,
    waiting integer not null default 0, -- files without their partner
    queued integer not null default 0,
    ready integer not null default 0,   -- of the queued ones: due now
    running integer not null default 0,
    done integer not null default 0,
    failed integer not null default 0,
    quarantined integer not null default 0,
    missing integer not null default 0
) strict;

-- What people set and the program remembers about itself.
create table control (name text primary key, value any) strict, without rowid;

pragma user_version = 1;
