-- one row per owned account, authority that it counts for and month with posts
-- rebuilt by month_on
-- posts are those that the account wrote itself: new posts, quotes and replies. A repost is somebody else's post.
select
  post.platform,
  post.account_id,
  owned.authority_code,
  owned.owner_kind,
  post.month_on,
  count(*) filter (where post.kind <> 'repost') as posts,
  count(*) filter (where post.kind = 'reply') as replies,
  count(*) filter (where post.kind = 'repost') as reposts,
  count(*) filter (where post.kind <> 'repost' and post.is_out_of_hours) as out_of_hours_posts,
  count(*) filter (where post.kind <> 'repost' and not post.is_mature) as immature_posts,
  count(*) filter (where post.kind <> 'repost' and post.engagement is not null) as engaged_posts,
  cast(coalesce(sum(post.engagement) filter (where post.kind <> 'repost'), 0) as bigint) as engagement
from model.post as post
join model.owned_account as owned
  on owned.platform = post.platform
  and owned.account_id = post.account_id
  and post.posted_on between owned.counted_from and owned.counted_to
where post.is_counted
group by post.platform, post.account_id, owned.authority_code, owned.owner_kind, post.month_on
