-- one row per official account, authority and ISO week of which at least one day was read
-- rebuilt by week_on, authority_code
-- A week that was not read has no row, one that was read and is silent has zeros. days_read are the days of the week
-- that were read to their end, and on which the account was the authority's.
with known as (
  select
    week.authority_code,
    week.platform,
    week.account_id,
    week.handle,
    week.week_on,
    week.iso_week,
    7 as days_read
  from model.counted_whole_week as week
  union all
  select
    week.authority_code,
    week.platform,
    week.account_id,
    week.handle,
    week.week_on,
    week.iso_week,
    week.days_read
  from model.counted_part_week as week
),

counted as (
  select
    known.authority_code,
    known.platform,
    known.account_id,
    known.handle,
    known.week_on,
    known.iso_week,
    cast(sum(known.days_read) as bigint) as days_read
  from known
  group by known.authority_code, known.platform, known.account_id, known.handle, known.week_on, known.iso_week
)

select
  counted.authority_code,
  counted.platform,
  counted.account_id,
  counted.handle,
  counted.week_on,
  counted.iso_week,
  counted.days_read,
  coalesce(week.posts, 0) as posts,
  coalesce(week.quotes, 0) as quotes,
  coalesce(week.replies, 0) as replies,
  coalesce(week.reposts, 0) as reposts,
  case when coalesce(week.posts, 0) = 0 then 0 else week.likes_received end as likes_received,
  case when coalesce(week.posts, 0) = 0 then 0 else week.reposts_received end as reposts_received,
  case when coalesce(week.posts, 0) = 0 then 0 else week.replies_received end as replies_received,
  case when coalesce(week.posts, 0) = 0 then 0 else week.quotes_received end as quotes_received,
  case when coalesce(week.posts, 0) = 0 then 0 else week.engagement end as engagement,
  week.engagement_median,
  coalesce(week.immature_posts, 0) = 0 as is_mature,
  round(cast(week.out_of_hours_posts as double) / nullif(week.posts, 0), 4) as out_of_hours_share,
  profile.followers,
  profile.following
from counted
left join model.account_week as week
  on week.platform = counted.platform
  and week.account_id = counted.account_id
  and week.authority_code = counted.authority_code
  and week.week_on = counted.week_on
left join model.account_profile_week as profile
  on profile.platform = counted.platform
  and profile.account_id = counted.account_id
  and profile.week_on = counted.week_on
