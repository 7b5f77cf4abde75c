-- one row per account that was read and owned for the whole window, in the cell of its authority
-- An account of somebody who sits on two councils stands here once, with the authority it belonged to first.
-- Rule D12 and differences between areas: cells of nation, region and type of authority do not overlap, and every
-- area is made of whole cells. A councillors' cell that could not be published by itself is left out of every
-- area; then whatever is added up or subtracted is made of cells that may be published (and two accounts that
-- make less than 90 % in each of several cells make less than that of their sum).
with whole as (
  select
    owned.platform,
    owned.account_id,
    owned.owner_kind,
    owned.authority_code,
    row_number() over (
      partition by owned.platform, owned.account_id
      order by owned.counted_from, owned.authority_code
    ) as first_owner_first
  from model.owned_account as owned
  join model.account_reading as reading
    on reading.platform = owned.platform
    and reading.account_id = owned.account_id
  join model.platform as platform on platform.platform = owned.platform
  cross join model.observation_window as span
  where reading.outcome = 'observed'
    and platform.level <> 'never'
    and span.window_from >= greatest(owned.counted_from, reading.first_day)
    and span.window_to <= least(owned.counted_to, reading.last_day)
),

posted as (
  select
    post.platform,
    post.account_id,
    count(*) as posts
  from model.post as post
  join model.observation_window as span on post.week_on between span.window_from and span.window_to
  where post.is_counted and post.kind <> 'repost'
  group by post.platform, post.account_id
),

placed as (
  select
    whole.platform,
    whole.account_id,
    whole.owner_kind,
    whole.authority_code,
    authority.nation,
    coalesce(authority.region, '') as region,
    authority.authority_type,
    coalesce(posted.posts, 0) as posts,
    row_number() over (
      partition by whole.owner_kind, authority.nation, coalesce(authority.region, ''), authority.authority_type
      order by coalesce(posted.posts, 0) desc, whole.platform, whole.account_id
    ) as by_posts
  from whole
  join clean.authority as authority on authority.authority_code = whole.authority_code
  left join posted
    on posted.platform = whole.platform
    and posted.account_id = whole.account_id
  where whole.first_owner_first = 1
),

cell as (
  select
    placed.owner_kind,
    placed.nation,
    placed.region,
    placed.authority_type,
    withheld(placed.owner_kind, count(*), 0, 1) as accounts_reason,
    withheld(
      placed.owner_kind,
      count(*) filter (where placed.posts > 0),
      sum(placed.posts) filter (where placed.by_posts <= 2),
      sum(placed.posts)
    ) as posts_reason
  from placed
  group by placed.owner_kind, placed.nation, placed.region, placed.authority_type
)

select
  placed.platform,
  placed.account_id,
  placed.owner_kind,
  placed.authority_code,
  placed.nation,
  placed.region,
  placed.authority_type,
  placed.posts,
  cell.accounts_reason,
  cell.posts_reason
from placed
join cell
  on cell.owner_kind = placed.owner_kind
  and cell.nation = placed.nation
  and cell.region = placed.region
  and cell.authority_type = placed.authority_type
