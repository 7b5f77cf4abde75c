-- one row per owned account whose newest answer shows it, and whole month in which it was owned and read
-- Who asked not to be shown, moved away or is gone stands in no figure from then on, about the past either.
select
  owned.platform,
  owned.account_id,
  owned.authority_code,
  owned.owner_kind,
  month.month_on
from model.owned_account as owned
join model.account_reading as reading
  on reading.platform = owned.platform
  and reading.account_id = owned.account_id
join model.platform as platform on platform.platform = owned.platform
join model.calendar_month as month
  on month.month_on >= greatest(owned.counted_from, reading.first_day)
  and month.last_on <= least(owned.counted_to, reading.last_day)
where reading.outcome = 'observed' and platform.level <> 'never'
