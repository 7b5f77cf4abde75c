-- one row per window, of which there is one: the twelve newest ISO weeks that were read to their end
-- Where fewer were read, as many as there are.
-- A platform that was read in the last fortnight is waited for; one that is no longer read is not.
with upto as (
  select
    reading.platform,
    max(reading.last_day) as last_day
  from model.account_reading as reading
  where reading.outcome = 'observed'
  group by reading.platform
),

newest as (
  select min(upto.last_day) as last_day
  from upto
  where upto.last_day >= (select max(latest.last_day) from upto as latest) - 14
),

span as (
  select
    min(week.week_on) as first_on,
    max(week.week_on) as last_on
  from model.calendar_week as week
  cross join newest
  cross join (
    select min(reading.first_day) as first_day
    from model.account_reading as reading
    where reading.outcome = 'observed'
  ) as oldest
  where week.week_on >= oldest.first_day and week.sunday_on <= newest.last_day
)

select
  greatest(span.first_on, span.last_on - 77) as window_from,
  span.last_on + 6 as window_to,
  span.last_on + 7 - greatest(span.first_on, span.last_on - 77) as days
from span
where span.last_on is not null
