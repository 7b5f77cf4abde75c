-- one row per account and ISO week in which its profile was seen: the last one of the week
-- newest per platform, account_id, week_on by observed_at, pull_id
with shown as (
  select
    profile.platform,
    profile.account_id,
    cast(date_trunc('week', from_utc_timestamp(profile.observed_at, 'Europe/London')) as date) as week_on,
    profile.followers,
    profile.following,
    profile.observed_at,
    profile.pull_id
  from observation.profile as profile
),

newest as (
  select
    shown.platform,
    shown.account_id,
    shown.week_on,
    max(shown.observed_at) as observed_at
  from shown
  group by shown.platform, shown.account_id, shown.week_on
),

seen as (
  select
    shown.platform,
    shown.account_id,
    shown.week_on,
    shown.followers,
    shown.following,
    shown.observed_at,
    shown.pull_id,
    row_number() over (
      partition by shown.platform, shown.account_id, shown.week_on
      order by shown.pull_id desc, shown.followers nulls last, shown.following nulls last
    ) as newest_first
  from shown
  join newest
    on newest.platform = shown.platform
    and newest.account_id = shown.account_id
    and newest.observed_at = shown.observed_at
    and newest.week_on = shown.week_on
)

select
  seen.platform,
  seen.account_id,
  seen.week_on,
  seen.followers,
  seen.following,
  seen.observed_at,
  seen.pull_id
from seen
where seen.newest_first = 1
