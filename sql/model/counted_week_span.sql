-- one row per official account that is shown, and period: the whole ISO weeks that were read of it
-- It changes once a week, counted_period every day.
with weeks as (
  select
    period.platform,
    period.account_id,
    period.authority_code,
    period.handle,
    cast(date_trunc('week', period.counted_from + 6) as date) as first_week_on,
    cast(date_trunc('week', period.counted_to + 1) as date) - 7 as last_week_on
  from model.counted_period as period
  join model.platform as platform on platform.platform = period.platform
  where period.owner_kind = 'council' and platform.level = 'account'
)

select
  weeks.platform,
  weeks.account_id,
  weeks.authority_code,
  weeks.handle,
  weeks.first_week_on,
  weeks.last_week_on
from weeks
where weeks.first_week_on <= weeks.last_week_on
