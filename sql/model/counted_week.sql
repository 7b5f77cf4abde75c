-- one row per official account that is shown, authority and ISO week with a day on which it was read
-- days_read are the days of the week that were read to their end, and on which the account was the authority's.
select
  owned.authority_code,
  owned.platform,
  owned.account_id,
  owned.handle,
  week.week_on,
  week.iso_week,
  cast(
    sum(
      least(owned.counted_to, reading.last_day, week.sunday_on)
      - greatest(owned.counted_from, reading.first_day, week.week_on)
      + 1
    ) as bigint
  ) as days_read
from model.owned_account as owned
join model.account_reading as reading
  on reading.platform = owned.platform
  and reading.account_id = owned.account_id
join model.platform as platform on platform.platform = owned.platform
join model.calendar_week as week
  on week.week_on <= least(owned.counted_to, reading.last_day)
  and week.sunday_on >= greatest(owned.counted_from, reading.first_day)
where owned.owner_kind = 'council'
  and reading.outcome = 'observed'
  and platform.level = 'account'
  and greatest(owned.counted_from, reading.first_day) <= least(owned.counted_to, reading.last_day)
group by owned.authority_code, owned.platform, owned.account_id, owned.handle, week.week_on, week.iso_week
