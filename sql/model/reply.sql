-- one row per reply by somebody else to a post of an official account, as it was last read
-- newest per platform, post_id by pull_id
-- Replies to a post are read together: those of its newest pull count, none of an older one.
select
  reply.platform,
  reply.post_id,
  reply.pull_id,
  reply.account_id,
  reply.received_at,
  reply.answered_at,
  cast(from_utc_timestamp(reply.received_at, 'Europe/London') as date) as received_on,
  -- Hours until the answer; where there is none, for how long none came.
  (unix_timestamp(coalesce(reply.answered_at, reply.observed_at)) - unix_timestamp(reply.received_at))
    / 3600.0 as hours,
  reply.answered_at is not null as is_answered,
  reply.received_at <= reply.observed_at as is_dated_plausibly
from observation.reply as reply
join (
  select
    seen.platform,
    seen.post_id,
    max(seen.pull_id) as pull_id
  from observation.reply as seen
  group by seen.platform, seen.post_id
) as newest
  on newest.platform = reply.platform
  and newest.post_id = reply.post_id
  and newest.pull_id = reply.pull_id
