-- one row per area and owner kind with accounts: how posts are spread over them
-- DuckDB only: lists and distribution_measures. top_posts is what the two accounts with the most posts wrote.
with ranked as (
  select
    area.area_kind,
    area.area,
    account.owner_kind,
    account.authority_code,
    account.posts,
    row_number() over (
      partition by area.area_kind, area.area, account.owner_kind
      order by account.posts desc, account.platform, account.account_id
    ) as by_posts
  from model.window_account as account
  join model.area as area
    on area.nation = account.nation
    and area.region = account.region
    and area.authority_type = account.authority_type
  where account.accounts_reason is null
)

select
  ranked.area_kind,
  ranked.area,
  ranked.owner_kind,
  count(*) as accounts,
  count(*) filter (where ranked.posts > 0) as posting_accounts,
  cast(sum(ranked.posts) as bigint) as posts,
  cast(sum(ranked.posts) filter (where ranked.by_posts <= 2) as bigint) as top_posts,
  distribution_measures(
    list(ranked.authority_code order by ranked.by_posts),
    list(ranked.posts order by ranked.by_posts),
    max(span.days)
  ) as measures
from ranked
cross join model.observation_window as span
group by ranked.area_kind, ranked.area, ranked.owner_kind
