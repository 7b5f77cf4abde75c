-- one row per identified account, authority that it counts for, kind of owner and unbroken period of days
-- An account that a list names by its permanent id is found by that, else by what its handle last stood for, so
-- that a change of handle changes nothing. Listings of one account that overlap or follow each other are one
-- period: a post counts once for an authority. What is a council's by any listing is no councillor's.
with resolved as (
  select
    owner.platform,
    coalesce(known.account_id, identity.account_id) as account_id,
    owner.handle,
    owner.authority_code,
    owner.owner_kind,
    coalesce(owner.valid_from, date '1000-01-01') as counted_from,
    coalesce(owner.valid_to, date '9999-12-31') as counted_to
  from model.account_owner as owner
  left join model.account_reading as known
    on known.platform = owner.platform
    and known.account_id = owner.account_id
  left join model.account_identity as identity
    on identity.platform = owner.platform
    and identity.handle = owner.handle
  where coalesce(known.account_id, identity.account_id) is not null
),

official as (
  select distinct
    resolved.platform,
    resolved.account_id
  from resolved
  where resolved.owner_kind = 'council'
),

listed as (
  select
    resolved.platform,
    resolved.account_id,
    resolved.authority_code,
    resolved.owner_kind,
    resolved.counted_from,
    resolved.counted_to,
    first_value(resolved.handle) over (
      partition by resolved.platform, resolved.account_id, resolved.authority_code, resolved.owner_kind
      order by resolved.counted_to desc, resolved.counted_from desc, resolved.handle
    ) as handle,
    max(resolved.counted_to) over (
      partition by resolved.platform, resolved.account_id, resolved.authority_code, resolved.owner_kind
      order by resolved.counted_from, resolved.counted_to, resolved.handle
      rows between unbounded preceding and 1 preceding
    ) as reached
  from resolved
  left join official
    on official.platform = resolved.platform
    and official.account_id = resolved.account_id
  where resolved.owner_kind = 'council' or official.account_id is null
),

numbered as (
  select
    listed.platform,
    listed.account_id,
    listed.authority_code,
    listed.owner_kind,
    listed.handle,
    listed.counted_from,
    listed.counted_to,
    sum(case when listed.counted_from - 1 <= listed.reached then 0 else 1 end) over (
      partition by listed.platform, listed.account_id, listed.authority_code, listed.owner_kind
      order by listed.counted_from, listed.counted_to
      range between unbounded preceding and current row
    ) as period
  from listed
)

select
  numbered.platform,
  numbered.account_id,
  numbered.authority_code,
  numbered.owner_kind,
  max(numbered.handle) as handle,
  min(numbered.counted_from) as counted_from,
  max(numbered.counted_to) as counted_to
from numbered
group by numbered.platform, numbered.account_id, numbered.authority_code, numbered.owner_kind, numbered.period
