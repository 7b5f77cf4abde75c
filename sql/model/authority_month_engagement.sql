-- one row per authority, month, platform and owner kind with posts of which the engagement is known
-- rebuilt by month_on, authority_code
-- Only accounts of which the whole month was read, and which were the authority's all that time.
select
  counted.authority_code,
  post.month_on,
  post.platform,
  counted.owner_kind,
  median(post.engagement) as engagement_median,
  percentile(post.engagement, 0.9) as engagement_p90
from model.post as post
join model.counted_month as counted
  on counted.platform = post.platform
  and counted.account_id = post.account_id
  and counted.month_on = post.month_on
where post.is_counted and post.kind <> 'repost' and post.engagement is not null
group by counted.authority_code, post.month_on, post.platform, counted.owner_kind
