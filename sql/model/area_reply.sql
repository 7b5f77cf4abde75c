-- one row per area in which official accounts were replied to: how long it took them to answer
-- DuckDB only: lists and reply_latency, to which their order does not matter. Replies that were received in the
-- window, as far as they were read.
with ranked as (
  select
    area.area_kind,
    area.area,
    account.platform,
    account.account_id,
    reply.hours,
    reply.is_answered
  from model.reply as reply
  join model.window_account as account
    on account.platform = reply.platform
    and account.account_id = reply.account_id
  join model.observation_window as span on reply.received_on between span.window_from and span.window_to
  join model.area as area
    on area.nation = account.nation
    and area.region = account.region
    and area.authority_type = account.authority_type
  where account.owner_kind = 'council' and reply.is_dated_plausibly
),

received as (
  select
    ranked.area_kind,
    ranked.area,
    ranked.platform,
    ranked.account_id,
    count(*) as replies,
    row_number() over (
      partition by ranked.area_kind, ranked.area
      order by count(*) desc, ranked.platform, ranked.account_id
    ) as by_replies
  from ranked
  group by ranked.area_kind, ranked.area, ranked.platform, ranked.account_id
),

held as (
  select
    received.area_kind,
    received.area,
    count(*) as accounts,
    cast(sum(received.replies) filter (where received.by_replies <= 2) as bigint) as top_replies
  from received
  group by received.area_kind, received.area
)

select
  ranked.area_kind,
  ranked.area,
  max(held.accounts) as accounts,
  max(held.top_replies) as top_replies,
  reply_latency(list(ranked.hours), list(ranked.is_answered)) as latency
from ranked
join held
  on held.area_kind = ranked.area_kind
  and held.area = ranked.area
group by ranked.area_kind, ranked.area
