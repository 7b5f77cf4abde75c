-- one row per owned account that is shown, and whole month in which it was owned and read
-- rebuilt by account_id
select
  span.platform,
  span.account_id,
  span.authority_code,
  span.owner_kind,
  month.month_on
from model.counted_span as span
join model.calendar_month as month on month.month_on between span.first_month_on and span.last_month_on
