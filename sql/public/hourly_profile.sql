-- one row per area, owner kind and hour of the week in London
-- Councillors' shares are rounded to a thousandth and their accounts down to five, so that neither a single post
-- nor, beside activity_distribution, the number of silent accounts can be told.
select
  base.area_kind,
  base.area,
  base.owner_kind,
  hour.hour_of_week,
  span.window_from,
  span.window_to,
  hour.hours,
  case
    when base.posts_reason is null and base.owner_kind = 'council' then base.posting_accounts
    when base.posts_reason is null then cast(5 * floor(base.posting_accounts / 5.0) as bigint)
  end as accounts,
  case when base.posts_reason is null then base.posts end as posts,
  case
    when base.posts_reason is null
      then round(
        cast(coalesce(spread.posts, 0) as double) / base.posts,
        case when base.owner_kind = 'council' then 4 else 3 end
      )
  end as share,
  case
    when base.posts_reason is null
      then round_sum(
        coalesce(spread.weight, 0) / base.posting_accounts,
        case when base.owner_kind = 'council' then 4 else 3 end
      )
  end as share_by_account,
  round(cast(hour.hours as double) / hour.window_hours, 6) as uniform_share,
  base.posts_reason as withheld_reason
from model.area_base as base
cross join model.window_hour as hour
cross join model.observation_window as span
left join model.area_hour as spread
  on spread.area_kind = base.area_kind
  and spread.area = base.area
  and spread.owner_kind = base.owner_kind
  and spread.hour_of_week = hour.hour_of_week
