-- one row per owned account that its newest answer shows, and period: the whole months that were read of it
-- It changes once a month, counted_period every day.
with months as (
  select
    period.platform,
    period.account_id,
    period.authority_code,
    period.owner_kind,
    add_months(cast(date_trunc('month', period.counted_from - 1) as date), 1) as first_month_on,
    add_months(cast(date_trunc('month', period.counted_to + 1) as date), -1) as last_month_on
  from model.counted_period as period
)

select
  months.platform,
  months.account_id,
  months.authority_code,
  months.owner_kind,
  months.first_month_on,
  months.last_month_on
from months
where months.first_month_on <= months.last_month_on
