-- one row per account, authority and period that the newest answer of Wikidata states
-- An item states a YouTube channel and a YouTube handle apart: where it has one of each, they are one account. The
-- same account is often stated twice, by the area and its council, or once with dates and once without: what has
-- dates is believed, and periods that meet are one.
with newest as (
  select max(taken.snapshot_on) as snapshot_on
  from clean.official_account_snapshot as taken
  where taken.source = 'wikidata_accounts'
),

seen as (
  select
    sighting.authority_code,
    sighting.platform,
    sighting.handle,
    min(sighting.snapshot_on) as first_seen_on
  from model.official_account_sighting as sighting
  where sighting.source = 'wikidata_accounts'
  group by sighting.authority_code, sighting.platform, sighting.handle
),

stated as (
  select
    sighting.authority_code,
    sighting.platform,
    sighting.handle,
    sighting.account_id,
    sighting.valid_from,
    sighting.valid_to,
    sighting.evidence_url,
    sighting.checked_on,
    sighting.item
  from model.official_account_sighting as sighting
  join newest on newest.snapshot_on = sighting.snapshot_on
  where sighting.source = 'wikidata_accounts'
    and sighting.authority_code is not null
    and sighting.handle is not null
),

channel as (
  select
    stated.item,
    stated.authority_code,
    max(stated.account_id) as account_id
  from stated
  where stated.platform = 'youtube' and stated.valid_to is null
  group by stated.item, stated.authority_code
  having count(distinct case when stated.handle = stated.account_id then stated.handle end) = 1
    and count(distinct case when coalesce(stated.handle <> stated.account_id, true) then stated.handle end) = 1
),

identified as (
  select
    stated.authority_code,
    stated.platform,
    stated.handle,
    coalesce(stated.account_id, channel.account_id) as account_id,
    stated.valid_from,
    stated.valid_to,
    stated.evidence_url,
    stated.checked_on,
    max(case when coalesce(stated.valid_from, stated.valid_to) is not null then 1 else 0 end) over (
      partition by stated.authority_code, stated.platform, stated.handle
    ) as has_dates
  from stated
  left join channel
    on channel.item = stated.item
    and channel.authority_code = stated.authority_code
    and stated.platform = 'youtube'
    and stated.valid_to is null
),

told as (
  select
    identified.authority_code,
    identified.platform,
    identified.handle,
    identified.account_id,
    identified.valid_from,
    identified.valid_to,
    identified.evidence_url,
    identified.checked_on,
    max(coalesce(identified.valid_to, date '9999-01-01')) over (
      partition by identified.authority_code, identified.platform, identified.handle
      order by coalesce(identified.valid_from, date '0001-01-01'), coalesce(identified.valid_to, date '9999-01-01'),
        identified.evidence_url, coalesce(identified.account_id, '')
      rows between unbounded preceding and 1 preceding
    ) as told_until
  from identified
  -- A channel that is known by its handle is not told again by its id.
  anti join identified as named
    on named.authority_code = identified.authority_code
    and named.platform = identified.platform
    and named.account_id = identified.handle
    and named.handle <> identified.handle
  where identified.has_dates = 0 or coalesce(identified.valid_from, identified.valid_to) is not null
),

numbered as (
  select
    told.authority_code,
    told.platform,
    told.handle,
    told.account_id,
    told.valid_from,
    told.valid_to,
    told.evidence_url,
    told.checked_on,
    sum(
      case
        when coalesce(told.valid_from, date '0001-01-01') <= cast(told.told_until + interval 1 day as date) then 0
        else 1
      end
    ) over (
      partition by told.authority_code, told.platform, told.handle
      order by coalesce(told.valid_from, date '0001-01-01'), coalesce(told.valid_to, date '9999-01-01'),
        told.evidence_url, coalesce(told.account_id, '')
      rows between unbounded preceding and current row
    ) as period
  from told
)

select
  numbered.authority_code,
  numbered.platform,
  numbered.handle,
  max(numbered.account_id) as account_id,
  min(numbered.valid_from) as valid_from,
  case when count(*) = count(numbered.valid_to) then max(numbered.valid_to) end as valid_to,
  min(seen.first_seen_on) as first_seen_on,
  max(numbered.checked_on) as last_seen_on,
  min(numbered.evidence_url) as evidence_url,
  max(numbered.checked_on) as checked_on
from numbered
join seen
  on seen.authority_code = numbered.authority_code
  and seen.platform = numbered.platform
  and seen.handle = numbered.handle
group by numbered.authority_code, numbered.platform, numbered.handle, numbered.period
