-- For pairmill report: how far the pairs were apart, by the larger axis, in px.
with far (px, loss) as (
    select max(abs(dy), abs(dx)), loss from result where held = 0)
select case when px = 0 then '0' when px <= 4 then '1 to 4' when px <= 16 then '5 to 16'
        when px <= 64 then '17 to 64' when px <= 128 then '65 to 128' else 'more' end as px,
    count(*) as pairs,
    round(avg(loss), 6) as mean_loss
from far
group by 1
order by min(far.px)
