-- What became of the jobs, and how long it took. Never edited once released.

-- The settings results were made with.
create table recipe (
    id integer primary key,
    hash text not null unique,
    json text,
    current integer not null default 0,
    first_us integer not null
) strict;

-- The result of a job that is done, or (held) failed because of its flags. It goes when the job is
-- queued again. The names are copies, so that a question about a million results needs no join.
create table result (
    job_id integer primary key references job on delete cascade,
    scene_id integer not null,
    scene text not null,
    gt_path text not null,
    target_path text not null,
    held integer not null,              -- 1: not to be used unseen
    dy integer not null,                -- gt[y+dy, x+dx] = target[y, x]
    dx integer not null,
    method text not null,
    backend text,
    fallback text,                      -- why the method asked for did not run
    loss real,
    gain real,
    mask_mean real,
    crops integer not null,             -- written ones
    windows integer not null,           -- all
    sub_dy real,
    sub_dx real,
    confidence real,
    flags text not null,                -- names, comma between
    evaluations integer not null,
    search_us integer not null,
    loss_us integer not null,
    total_us integer not null,
    gt_x integer not null,              -- where the overlap lies
    gt_y integer not null,
    target_x integer not null,
    target_y integer not null,
    width integer not null,
    height integer not null,
    output_dir text,
    gt_hash text,
    target_hash text,
    recipe_id integer references recipe,
    version text not null,
    worker integer not null,
    gt_cached integer not null,
    started_us integer not null,
    finished_us integer not null
) strict;
create index result_scene on result (scene) where held = 0;
create index result_gt on result (gt_path) where held = 0;
create index result_target on result (target_path) where held = 0;
create index result_slow on result (total_us / 1000.0) where held = 0; -- as the view shows it
create index result_loss on result (loss) where held = 0;
create index result_recipe on result (recipe_id) where held = 0;
create index result_flags on result (flags) where held = 0 and flags <> '';

create table crop (
    job_id integer not null references result on delete cascade,
    x integer not null,
    y integer not null,
    width integer not null,
    height integer not null,
    valid real,                         -- usable share
    written integer not null,
    primary key (job_id, x, y)
) strict, without rowid;

-- The last attempt of each job, exactly.
create table timing (
    job_id integer not null references job on delete cascade,
    stage text not null,
    wall_us integer not null,
    cpu_us integer not null,
    bytes integer not null,
    primary key (job_id, stage)
) strict, without rowid;

-- All attempts that came to an end, in sum. A bucket b < 16 holds b us; above, 16 buckets an
-- octave: bucket 16e + m (m 16..31) holds m * 2^e us and what follows up to the next.
create table stage_total (
    stage text primary key,
    position integer not null,
    n integer not null,
    wall_us integer not null,
    bytes integer not null,
    max_us integer not null
) strict, without rowid;
create table stage_bucket (
    stage text not null,
    bucket integer not null,
    n integer not null,
    primary key (stage, bucket)
) strict, without rowid;
create table method_total (
    method text not null,
    backend text not null,
    n integer not null,
    search_us integer not null,
    max_us integer not null,
    loss real not null,
    losses integer not null,            -- how many of n have one
    fallbacks integer not null,
    primary key (method, backend)
) strict, without rowid;
create table method_bucket (
    method text not null,
    backend text not null,
    bucket integer not null,
    n integer not null,
    primary key (method, backend, bucket)
) strict, without rowid;

-- Means of each scene's results, kept by triggers.
create table scene_total (
    scene_id integer primary key references scene on delete cascade,
    n integer not null,
    loss real not null,
    gain real not null,
    mask_mean real not null,
    crops integer not null
) strict;

-- Finished pairs in slots of 5 s, for an hour, and all together.
create table rate (
    slot integer primary key,           -- finished_us / 5000000
    done integer not null,
    failed integer not null,
    busy_us integer not null            -- how long there was a job running
) strict;
create table rate_total (
    id integer primary key check (id = 1),
    done integer not null default 0,
    failed integer not null default 0,
    busy_us integer not null default 0,
    first_us integer
) strict;
insert into rate_total (id) values (1);

-- What the running daemon knows; emptied at its start.
create table worker (
    id integer primary key,
    job_id integer,
    stage text,
    since_us integer not null,          -- in this stage since
    done integer not null,
    failed integer not null
) strict;
create table cache (
    name text primary key,
    hits integer not null,
    misses integer not null,
    evictions integer not null,
    bytes integer not null,
    budget_bytes integer not null
) strict, without rowid;
create table gauge (
    source_id integer primary key references source on delete cascade,
    settling integer not null,
    ignored integer not null,
    watching integer not null
) strict;

pragma user_version = 2;
