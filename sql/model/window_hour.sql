-- one row per hour of the week (0 is Monday 00:00 to 01:00 in London): how often the window held it
-- When the clocks change one hour of the week is left out, or comes twice.
with digit as (
  select named.n
  from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as named (n)
),

moment as (
  select
    span.window_from,
    span.window_to,
    from_utc_timestamp(
      cast(span.window_from - 1 as timestamp)
      + interval 1 hour * (1000 * thousands.n + 100 * hundreds.n + 10 * tens.n + ones.n),
      'Europe/London'
    ) as local_at
  from model.observation_window as span
  cross join digit as thousands
  cross join digit as hundreds
  cross join digit as tens
  cross join digit as ones
  where thousands.n < 3
)

select
  24 * (unix_date(cast(moment.local_at as date)) - unix_date(cast(date_trunc('week', moment.local_at) as date)))
    + hour(moment.local_at) as hour_of_week,
  count(*) as hours,
  cast(sum(count(*)) over () as bigint) as window_hours
from moment
where cast(moment.local_at as date) between moment.window_from and moment.window_to
group by
  24 * (unix_date(cast(moment.local_at as date)) - unix_date(cast(date_trunc('week', moment.local_at) as date)))
    + hour(moment.local_at)
