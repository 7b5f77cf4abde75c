-- one row per owned account that its newest answer shows, and period: the whole months that were read of it
-- Who asked not to be shown, moved away or is gone stands in no figure from then on, about the past either.
with spans as (
  select
    owned.platform,
    owned.account_id,
    owned.authority_code,
    owned.owner_kind,
    greatest(owned.counted_from, reading.first_day) as counted_from,
    least(owned.counted_to, reading.last_day) as counted_to
  from model.owned_account as owned
  join model.account_reading as reading
    on reading.platform = owned.platform
    and reading.account_id = owned.account_id
  join model.platform as platform on platform.platform = owned.platform
  where reading.outcome = 'observed' and reading.last_day is not null and platform.level <> 'never'
),

months as (
  select
    spans.platform,
    spans.account_id,
    spans.authority_code,
    spans.owner_kind,
    add_months(cast(date_trunc('month', spans.counted_from - 1) as date), 1) as first_month_on,
    add_months(cast(date_trunc('month', spans.counted_to + 1) as date), -1) as last_month_on
  from spans
  where spans.counted_from <= spans.counted_to
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
