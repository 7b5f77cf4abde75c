-- one row per post or repost of an observed account, as it was last seen
-- newest per platform, post_id by observed_at, pull_id
-- Times of the day, weeks and months are those of the clocks in London. A platform's opening stands in
-- model.platform too; here it is written out, since what is merged pull by pull may read nothing else.
with newest as (
  select
    post.platform,
    post.post_id,
    max(post.observed_at) as observed_at
  from observation.post as post
  group by post.platform, post.post_id
),

seen as (
  select
    post.platform,
    post.post_id,
    post.account_id,
    post.kind,
    post.posted_at,
    post.claimed_at,
    post.observed_at,
    post.pull_id,
    post.is_gone,
    post.likes,
    post.reposts,
    post.replies,
    post.quotes,
    row_number() over (
      partition by post.platform, post.post_id
      order by post.pull_id desc, post.account_id, post.kind, post.posted_at, post.is_gone
    ) as newest_first
  from observation.post as post
  join newest
    on newest.platform = post.platform
    and newest.post_id = post.post_id
    and newest.observed_at = post.observed_at
),

localised as (
  select
    seen.platform,
    seen.post_id,
    seen.account_id,
    seen.kind,
    seen.posted_at,
    seen.claimed_at,
    seen.observed_at,
    seen.pull_id,
    seen.is_gone,
    seen.likes,
    seen.reposts,
    seen.replies,
    seen.quotes,
    from_utc_timestamp(seen.posted_at, 'Europe/London') as local_at
  from seen
  where seen.newest_first = 1
),

placed as (
  select
    localised.platform,
    localised.post_id,
    localised.account_id,
    localised.kind,
    localised.posted_at,
    localised.observed_at,
    localised.pull_id,
    localised.is_gone,
    localised.likes,
    localised.reposts,
    localised.replies,
    localised.quotes,
    localised.local_at,
    unix_date(cast(localised.local_at as date))
      - unix_date(cast(date_trunc('week', localised.local_at) as date)) as weekday_no,
    unix_timestamp(localised.observed_at) - unix_timestamp(localised.posted_at) as age_seconds,
    localised.posted_at >= case
      when localised.platform = 'bluesky' then timestamp '2022-11-17 00:00:00'
      when localised.platform = 'mastodon' then timestamp '2016-10-05 00:00:00'
      when localised.platform = 'x' then timestamp '2006-03-21 00:00:00'
      else timestamp '2005-02-14 00:00:00'
    end as is_after_opening,
    coalesce(localised.claimed_at > localised.observed_at, false) as is_claimed_ahead
  from localised
)

select
  placed.platform,
  placed.post_id,
  placed.account_id,
  placed.kind,
  placed.posted_at,
  cast(placed.local_at as date) as posted_on,
  cast(date_trunc('week', placed.local_at) as date) as week_on,
  cast(date_trunc('month', placed.local_at) as date) as month_on,
  24 * placed.weekday_no + hour(placed.local_at) as hour_of_week,
  placed.weekday_no >= 5 or hour(placed.local_at) < 9 or hour(placed.local_at) >= 17 as is_out_of_hours,
  placed.observed_at,
  placed.pull_id,
  cast(floor(placed.age_seconds / 86400.0) as bigint) as observed_age_days,
  placed.age_seconds >= 28 * 86400 as is_mature,
  placed.is_gone,
  placed.is_after_opening and not placed.is_claimed_ahead as is_dated_plausibly,
  -- A claim from the future changes nothing: the platform's own time then stands in posted_at. One from before
  -- the platform opened leaves the time unknown.
  not placed.is_gone and placed.is_after_opening as is_counted,
  placed.likes,
  placed.reposts,
  placed.replies,
  placed.quotes,
  case
    when coalesce(placed.likes, placed.reposts, placed.replies, placed.quotes) is not null
      then coalesce(placed.likes, 0) + coalesce(placed.reposts, 0)
        + coalesce(placed.replies, 0) + coalesce(placed.quotes, 0)
  end as engagement
from placed
