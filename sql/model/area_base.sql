-- one row per area and owner kind: accounts that figures about accounts, and about their posts, rest on
-- Where nothing may be published, the reason of the cells that came closest stands here.
with counted as (
  select
    area.area_kind,
    area.area,
    account.owner_kind,
    count(*) filter (where account.accounts_reason is null) as accounts,
    count(*) filter (where account.posts_reason is null and account.posts > 0) as posting_accounts,
    cast(coalesce(sum(account.posts) filter (where account.posts_reason is null), 0) as bigint) as posts,
    max(account.posts_reason) as posts_reason
  from model.window_account as account
  join model.area as area
    on area.nation = account.nation
    and area.region = account.region
    and area.authority_type = account.authority_type
  group by area.area_kind, area.area, account.owner_kind
),

kind as (
  select named.owner_kind
  from (values ('council'), ('councillor')) as named (owner_kind)
),

place as (
  select distinct
    area.area_kind,
    area.area
  from model.area as area
)

select
  place.area_kind,
  place.area,
  kind.owner_kind,
  coalesce(counted.accounts, 0) as accounts,
  coalesce(counted.posting_accounts, 0) as posting_accounts,
  coalesce(counted.posts, 0) as posts,
  case
    when kind.owner_kind = 'councillor' and coalesce(counted.accounts, 0) = 0
      then 'fewer than 10 contributing accounts'
  end as accounts_reason,
  case
    when kind.owner_kind = 'councillor' and coalesce(counted.posting_accounts, 0) = 0
      then coalesce(counted.posts_reason, 'fewer than 10 contributing accounts')
    when coalesce(counted.posts, 0) = 0 then 'no posts in the window'
  end as posts_reason
from place
cross join kind
left join counted
  on counted.area_kind = place.area_kind
  and counted.area = place.area
  and counted.owner_kind = kind.owner_kind
