-- one row per handle that a platform was asked about and once knew: the account that it last stood for
-- newest per platform, handle by observed_at, pull_id
-- The newest moment is found first and its rows then, here and wherever observations are merged: sorting all
-- observations of a key costs up to three times as much.
with asked as (
  select
    account.platform,
    ltrim(account.handle, '@') as handle,
    account.account_id,
    account.observed_at,
    account.pull_id
  from observation.account as account
  where account.handle is not null and account.account_id is not null
),

newest as (
  select
    asked.platform,
    asked.handle,
    max(asked.observed_at) as observed_at
  from asked
  group by asked.platform, asked.handle
),

seen as (
  select
    asked.platform,
    asked.handle,
    asked.account_id,
    asked.observed_at,
    asked.pull_id,
    row_number() over (
      partition by asked.platform, asked.handle
      order by asked.pull_id desc, asked.account_id
    ) as newest_first
  from asked
  join newest
    on newest.platform = asked.platform
    and newest.handle = asked.handle
    and newest.observed_at = asked.observed_at
)

select
  seen.platform,
  seen.handle,
  seen.account_id,
  seen.observed_at,
  seen.pull_id
from seen
where seen.newest_first = 1
