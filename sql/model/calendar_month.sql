-- one row per calendar month, from the first in which an observed platform was open
with digit as (
  select named.n
  from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as named (n)
),

month as (
  select 100 * hundreds.n + 10 * tens.n + ones.n as n
  from digit as hundreds
  cross join digit as tens
  cross join digit as ones
  where hundreds.n < 5
)

select
  add_months(date '2016-10-01', month.n) as month_on,
  add_months(date '2016-10-01', month.n + 1) - 1 as last_on
from month
