-- What an alignment measured beyond the shift. Never edited once released. Null: the image could not
-- tell, it was switched off, or the result is older than these columns. Errors are standard errors.

alter table result add column sub_dy_error real;       -- px
alter table result add column sub_dx_error real;
alter table result add column second_peak real;        -- 0..1: depth of the second best place
alter table result add column gain_r real;             -- mean(gt) / mean(target) of a channel
alter table result add column gain_g real;
alter table result add column gain_b real;
alter table result add column rotation_deg real;       -- of gt against target, counterclockwise
alter table result add column rotation_error_deg real;
alter table result add column scale real;              -- size of gt's scene / of target's
alter table result add column scale_error real;
alter table result add column parallax_px real;        -- one tile in ten lies farther off
alter table result add column parallax_error_px real;
alter table result add column tiles integer;           -- tiles with something to go by

-- One short text a result, not a row a tile: a million results have a hundred million tiles. Beside
-- the result, so that its rows stay dense. {"x": [..], "y": [..], "dy": [..], "dx": [..],
-- "weight": [..]}: centres of columns and rows, then row by row, null where a tile cannot tell.
create table tile_map (
    job_id integer primary key references result on delete cascade,
    map text not null
) strict;

pragma user_version = 3;
