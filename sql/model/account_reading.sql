-- one row per account that a platform ever identified: how far it was read, and its newest answer
-- A pull goes on where the last one of the account ended, so what lies between its first and its last moment was
-- read. first_day and last_day are whole days in London. An answer to a handle alone is about the account that
-- last bore it.
with answer as (
  select
    outcome.platform,
    coalesce(outcome.account_id, identity.account_id) as account_id,
    outcome.outcome,
    row_number() over (
      partition by outcome.platform, coalesce(outcome.account_id, identity.account_id)
      order by outcome.is_answer desc, outcome.observed_at desc, outcome.pull_id desc, outcome.account_key
    ) as newest_first
  from model.account_outcome as outcome
  left join model.account_identity as identity
    on identity.platform = outcome.platform
    and identity.handle = outcome.handle
),

span as (
  select
    upto.platform,
    upto.account_id,
    since.read_from,
    upto.read_to,
    from_utc_timestamp(since.read_from, 'Europe/London') as local_from,
    from_utc_timestamp(upto.read_to, 'Europe/London') as local_to
  from model.account_read_to as upto
  join model.account_read_from as since
    on since.platform = upto.platform
    and since.account_id = upto.account_id
)

select
  answer.platform,
  answer.account_id,
  answer.outcome,
  span.read_from,
  span.read_to,
  case
    when span.local_from = date_trunc('day', span.local_from) then cast(span.local_from as date)
    else cast(span.local_from as date) + 1
  end as first_day,
  cast(span.local_to as date) - 1 as last_day
from answer
left join span
  on span.platform = answer.platform
  and span.account_id = answer.account_id
where answer.newest_first = 1 and answer.account_id is not null
