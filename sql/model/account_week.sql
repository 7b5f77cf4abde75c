-- one row per official account, authority that it counts for and ISO week with posts
-- rebuilt by week_on
-- A sum of counts is null where the platform states none of them.
select
  post.platform,
  post.account_id,
  owned.authority_code,
  post.week_on,
  count(*) filter (where post.kind <> 'repost') as posts,
  count(*) filter (where post.kind = 'quote') as quotes,
  count(*) filter (where post.kind = 'reply') as replies,
  count(*) filter (where post.kind = 'repost') as reposts,
  count(*) filter (where post.kind <> 'repost' and post.is_out_of_hours) as out_of_hours_posts,
  count(*) filter (where post.kind <> 'repost' and not post.is_mature) as immature_posts,
  cast(sum(post.likes) filter (where post.kind <> 'repost') as bigint) as likes_received,
  cast(sum(post.reposts) filter (where post.kind <> 'repost') as bigint) as reposts_received,
  cast(sum(post.replies) filter (where post.kind <> 'repost') as bigint) as replies_received,
  cast(sum(post.quotes) filter (where post.kind <> 'repost') as bigint) as quotes_received,
  cast(sum(post.engagement) filter (where post.kind <> 'repost') as bigint) as engagement,
  median(post.engagement) filter (where post.kind <> 'repost') as engagement_median
from model.post as post
join model.owned_account as owned
  on owned.platform = post.platform
  and owned.account_id = post.account_id
  and post.posted_on between owned.counted_from and owned.counted_to
where post.is_counted and owned.owner_kind = 'council'
group by post.platform, post.account_id, owned.authority_code, post.week_on
