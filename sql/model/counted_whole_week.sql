-- one row per official account that is shown, authority, and ISO week that was read as a whole
-- rebuilt by account_id
select
  span.authority_code,
  span.platform,
  span.account_id,
  span.handle,
  week.week_on,
  week.iso_week
from model.counted_week_span as span
join model.calendar_week as week on week.week_on between span.first_week_on and span.last_week_on
