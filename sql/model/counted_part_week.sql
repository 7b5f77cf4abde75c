-- one row per official account that is shown, authority, and ISO week in which one of its periods begins or ends
-- Only weeks of which a part was read, or in a part of which the account was the authority's; days_read are the days.
with edge as (
  select
    period.platform,
    period.account_id,
    period.authority_code,
    period.handle,
    period.counted_from,
    period.counted_to,
    cast(date_trunc('week', period.counted_from) as date) as week_on
  from model.counted_period as period
  where period.owner_kind = 'council'
  union
  select
    period.platform,
    period.account_id,
    period.authority_code,
    period.handle,
    period.counted_from,
    period.counted_to,
    cast(date_trunc('week', period.counted_to) as date) as week_on
  from model.counted_period as period
  where period.owner_kind = 'council'
)

select
  edge.authority_code,
  edge.platform,
  edge.account_id,
  edge.handle,
  week.week_on,
  week.iso_week,
  cast(sum(least(edge.counted_to, week.sunday_on) - greatest(edge.counted_from, week.week_on) + 1) as bigint)
    as days_read
from edge
join model.calendar_week as week on week.week_on = edge.week_on
join model.platform as platform on platform.platform = edge.platform
where platform.level = 'account'
  and (edge.counted_from > week.week_on or edge.counted_to < week.sunday_on)
group by edge.authority_code, edge.platform, edge.account_id, edge.handle, week.week_on, week.iso_week
