-- one row per area, owner kind and hour of the week: posts of the window, pooled and with equal weight by account
-- Every account that posted has the weight 1, spread over the hours in which it did. Weights are added up as
-- decimals: a sum of floating-point numbers depends on the order in which threads add.
with spread as (
  select
    account.owner_kind,
    account.nation,
    account.region,
    account.authority_type,
    post.hour_of_week,
    count(*) as posts,
    sum(cast(1.0 / account.posts as decimal(38, 18))) as weight
  from model.post as post
  join model.observation_window as span on post.week_on between span.window_from and span.window_to
  join model.window_account as account
    on account.platform = post.platform
    and account.account_id = post.account_id
  where post.is_counted and post.kind <> 'repost' and account.posts_reason is null
  group by account.owner_kind, account.nation, account.region, account.authority_type, post.hour_of_week
)

select
  area.area_kind,
  area.area,
  spread.owner_kind,
  spread.hour_of_week,
  cast(sum(spread.posts) as bigint) as posts,
  cast(sum(spread.weight) as double) as weight
from spread
join model.area as area
  on area.nation = spread.nation
  and area.region = spread.region
  and area.authority_type = spread.authority_type
group by area.area_kind, area.area, spread.owner_kind, spread.hour_of_week
