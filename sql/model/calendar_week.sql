-- one row per ISO week (ISO 8601), from the first in which an observed platform was open
-- A week belongs to the year in which its Thursday lies.
with digit as (
  select named.n
  from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as named (n)
),

week as (
  select date '2016-10-03' + 7 * (1000 * thousands.n + 100 * hundreds.n + 10 * tens.n + ones.n) as week_on
  from digit as thousands
  cross join digit as hundreds
  cross join digit as tens
  cross join digit as ones
  where thousands.n < 2
)

select
  week.week_on,
  week.week_on + 6 as sunday_on,
  cast(year(week.week_on + 3) as varchar) || '-W'
    || lpad(cast(cast(floor((dayofyear(week.week_on + 3) - 1) / 7.0) + 1 as bigint) as varchar), 2, '0') as iso_week
from week
