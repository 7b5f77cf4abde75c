-- one row per owned account that its newest answer shows, and period: the days that were read of it
-- Who asked not to be shown, moved away or is gone stands in no figure from then on, about the past either.
select
  owned.platform,
  owned.account_id,
  owned.authority_code,
  owned.owner_kind,
  owned.handle,
  greatest(owned.counted_from, reading.first_day) as counted_from,
  least(owned.counted_to, reading.last_day) as counted_to
from model.owned_account as owned
join model.account_reading as reading
  on reading.platform = owned.platform
  and reading.account_id = owned.account_id
join model.platform as platform on platform.platform = owned.platform
where reading.outcome = 'observed'
  and reading.last_day is not null
  and platform.level <> 'never'
  and greatest(owned.counted_from, reading.first_day) <= least(owned.counted_to, reading.last_day)
