-- one row per reply by somebody else to a post of an official account, as it was last read
-- Replies to a post are read together: those of its newest pull count, none of an older one.
select
  reply.platform,
  reply.account_id,
  reply.received_at,
  reply.answered_at,
  cast(from_utc_timestamp(reply.received_at, 'Europe/London') as date) as received_on,
  -- Hours until the answer; where there is none, for how long none came.
  (unix_timestamp(coalesce(reply.answered_at, reply.observed_at)) - unix_timestamp(reply.received_at))
    / 3600.0 as hours,
  reply.answered_at is not null as is_answered
from (
  select
    seen.platform,
    seen.account_id,
    seen.received_at,
    seen.answered_at,
    seen.observed_at,
    rank() over (partition by seen.platform, seen.post_id order by seen.pull_id desc) as newest_first
  from observation.reply as seen
) as reply
where reply.newest_first = 1 and reply.received_at <= reply.observed_at
