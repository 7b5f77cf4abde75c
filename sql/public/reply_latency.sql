-- one row per area: how long official accounts take to answer those who reply to them
-- DuckDB only: reads a structure made in Python. What was received and answered may be published for groups only:
-- rule D12 holds here for councils too.
with measured as (
  select
    base.area_kind,
    base.area,
    coalesce(found.accounts, 0) as accounts,
    found.latency,
    withheld(
      'group', coalesce(found.accounts, 0), coalesce(found.top_replies, 0), coalesce(found.latency.replies, 1)
    ) as reason
  from model.area_base as base
  left join model.area_reply as found
    on found.area_kind = base.area_kind
    and found.area = base.area
  where base.owner_kind = 'council'
)

select
  measured.area_kind,
  measured.area,
  span.window_from,
  span.window_to,
  case when measured.reason is null then measured.accounts end as accounts,
  case when measured.reason is null then measured.latency.replies end as replies,
  case when measured.reason is null then measured.latency.answered end as answered,
  case when measured.reason is null then measured.latency.answered_share end as answered_share,
  case when measured.reason is null then measured.latency.median_hours end as median_hours,
  case when measured.reason is null then measured.latency.median_hours_low end as median_hours_low,
  case when measured.reason is null then measured.latency.median_hours_high end as median_hours_high,
  coalesce(measured.reason, measured.latency.reason) as withheld_reason
from measured
cross join model.observation_window as span
