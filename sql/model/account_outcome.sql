-- one row per account asked about, by its permanent id or else the handle: the newest answer
-- newest per platform, account_key by is_answer, observed_at, pull_id
-- A failure says nothing about the account: it counts only where no answer ever came.
with asked as (
  select
    account.platform,
    coalesce(account.account_id, ltrim(account.handle, '@')) as account_key,
    account.account_id,
    ltrim(account.handle, '@') as handle,
    account.outcome,
    account.outcome <> 'failed' as is_answer,
    account.observed_at,
    account.pull_id
  from observation.account as account
),

newest as (
  select
    asked.platform,
    asked.account_key,
    max(case when asked.is_answer then asked.observed_at end) as answered_at,
    max(asked.observed_at) as asked_at
  from asked
  group by asked.platform, asked.account_key
),

seen as (
  select
    asked.platform,
    asked.account_key,
    asked.account_id,
    asked.handle,
    asked.outcome,
    asked.is_answer,
    asked.observed_at,
    asked.pull_id,
    row_number() over (
      partition by asked.platform, asked.account_key
      order by asked.pull_id desc, asked.outcome, asked.handle nulls last
    ) as newest_first
  from asked
  join newest
    on newest.platform = asked.platform
    and newest.account_key = asked.account_key
    and coalesce(newest.answered_at, newest.asked_at) = asked.observed_at
    and asked.is_answer = (newest.answered_at is not null)
)

select
  seen.platform,
  seen.account_key,
  seen.account_id,
  seen.handle,
  seen.outcome,
  seen.is_answer,
  seen.observed_at,
  seen.pull_id
from seen
where seen.newest_first = 1
