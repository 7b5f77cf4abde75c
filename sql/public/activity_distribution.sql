-- one row per area, owner kind and band of activity
-- DuckDB only: reads a structure made in Python. Accounts that were read for the whole window, silent ones
-- included. Councillors' bands are rounded to five accounts, shares follow from that, and limits are rounded to a
-- hundredth: a band may hold fewer than ten accounts even where the group does not.
with measured as (
  select
    base.area_kind,
    base.area,
    base.owner_kind,
    coalesce(base.accounts_reason, case when found.accounts is null then 'no accounts' end) as accounts_reason,
    base.posts_reason as hours_reason,
    found.accounts,
    found.measures,
    coalesce(
      base.accounts_reason,
      case when found.accounts is null then 'no accounts' end,
      withheld(base.owner_kind, found.posting_accounts, found.top_posts, found.posts)
    ) as gini_reason
  from model.area_base as base
  left join model.area_distribution as found
    on found.area_kind = base.area_kind
    and found.area = base.area
    and found.owner_kind = base.owner_kind
),

banded as (
  select
    measured.area_kind,
    measured.area,
    measured.owner_kind,
    band.band,
    measured.accounts,
    case
      when band.band = 'zero' then measured.measures.zero_share
      when band.band = 'low' then measured.measures.low_share
      when band.band = 'middle' then measured.measures.middle_share
      else measured.measures.heavy_share
    end as share,
    case
      when band.band = 'zero' then measured.measures.zero_share_low
      when band.band = 'low' then measured.measures.low_share_low
      when band.band = 'middle' then measured.measures.middle_share_low
      else measured.measures.heavy_share_low
    end as share_low,
    case
      when band.band = 'zero' then measured.measures.zero_share_high
      when band.band = 'low' then measured.measures.low_share_high
      when band.band = 'middle' then measured.measures.middle_share_high
      else measured.measures.heavy_share_high
    end as share_high
  from measured
  cross join (values ('zero'), ('low'), ('middle'), ('heavy')) as band (band)
  where measured.accounts_reason is null
),

counted as (
  select
    banded.area_kind,
    banded.area,
    banded.owner_kind,
    banded.band,
    case
      when banded.owner_kind = 'council' then cast(round(banded.share * banded.accounts) as bigint)
      else cast(5 * round(banded.share * banded.accounts / 5.0) as bigint)
    end as band_accounts,
    banded.share_low,
    banded.share_high
  from banded
),

shared as (
  select
    counted.area_kind,
    counted.area,
    counted.owner_kind,
    counted.band,
    counted.band_accounts,
    cast(counted.band_accounts as double) / nullif(
      sum(counted.band_accounts) over (partition by counted.area_kind, counted.area, counted.owner_kind), 0
    ) as share,
    case when counted.owner_kind = 'council' then 6 else 2 end as digits,
    counted.share_low,
    counted.share_high
  from counted
),

hours as (
  select
    hour.area_kind,
    hour.area,
    hour.owner_kind,
    cast(sum(case when hour.is_out_of_hours then hour.posts else 0 end) as double) / sum(hour.posts)
      as out_of_hours_share,
    sum(case when hour.is_out_of_hours then hour.weight else 0.0 end) / sum(hour.weight)
      as out_of_hours_share_by_account,
    -- Normalised entropy of the week's profile, 1 where all 168 hours are alike: C. E. Shannon (1948).
    -sum(hour.share * ln(hour.share)) / ln(168) as hour_entropy
  from (
    select
      spread.area_kind,
      spread.area,
      spread.owner_kind,
      spread.posts,
      spread.weight,
      spread.hour_of_week >= 120
        or spread.hour_of_week % 24 < 9
        or spread.hour_of_week % 24 >= 17 as is_out_of_hours,
      cast(spread.posts as double)
        / sum(spread.posts) over (partition by spread.area_kind, spread.area, spread.owner_kind) as share
    from model.area_hour as spread
  ) as hour
  group by hour.area_kind, hour.area, hour.owner_kind
)

select
  measured.area_kind,
  measured.area,
  measured.owner_kind,
  band.band,
  span.window_from,
  span.window_to,
  case when measured.accounts_reason is null then measured.accounts end as accounts,
  shared.band_accounts,
  round(shared.share, 4) as share,
  round(shared.share_low, shared.digits) as share_low,
  round(shared.share_high, shared.digits) as share_high,
  case when measured.gini_reason is null then measured.measures.gini end as gini,
  case when measured.gini_reason is null then measured.measures.gini_low end as gini_low,
  case when measured.gini_reason is null then measured.measures.gini_high end as gini_high,
  measured.measures.agreement as agreement,
  measured.measures.agreement_low as agreement_low,
  measured.measures.agreement_high as agreement_high,
  measured.measures.dip as dip,
  measured.measures.dip_p_value as dip_p_value,
  case when measured.hours_reason is null then round(hours.out_of_hours_share, 4) end as out_of_hours_share,
  case
    when measured.hours_reason is null then round_sum(hours.out_of_hours_share_by_account, 4)
  end as out_of_hours_share_by_account,
  case when measured.hours_reason is null then round_sum(hours.hour_entropy, 4) end as hour_entropy,
  measured.accounts_reason as withheld_reason,
  coalesce(measured.gini_reason, measured.measures.gini_reason) as gini_reason,
  coalesce(measured.accounts_reason, measured.measures.dip_reason) as dip_reason,
  coalesce(measured.accounts_reason, measured.measures.interval_reason) as interval_reason,
  measured.hours_reason as hours_reason
from measured
cross join (values ('zero'), ('low'), ('middle'), ('heavy')) as band (band)
cross join model.observation_window as span
left join shared
  on shared.area_kind = measured.area_kind
  and shared.area = measured.area
  and shared.owner_kind = measured.owner_kind
  and shared.band = band.band
left join hours
  on hours.area_kind = measured.area_kind
  and hours.area = measured.area
  and hours.owner_kind = measured.owner_kind
