-- one row per source, authority, account and unbroken run of snapshots that name it
-- The register of bodies speaks anew with each snapshot: a handle that is gone from the next one ended the day
-- before it. The curated list and Wikidata state dates themselves and are believed as they stand now, so that a
-- wrong entry can be taken back; a row without a first day began when a snapshot first showed it, unless it had
-- ended by then.
with newest_list as (
  select max(taken.snapshot_on) as snapshot_on
  from clean.official_account_snapshot as taken
  where taken.source = 'official_accounts'
),

snapshot as (
  select
    taken.source,
    taken.snapshot_on,
    row_number() over (partition by taken.source order by taken.snapshot_on) as snapshot_no,
    lead(taken.snapshot_on) over (partition by taken.source order by taken.snapshot_on) as next_snapshot_on
  from clean.official_account_snapshot as taken
),

sighting as (
  select
    seen.source,
    seen.authority_code,
    seen.platform,
    seen.handle,
    seen.snapshot_on,
    max(seen.account_id) as account_id,
    max(seen.valid_from) as valid_from,
    max(seen.valid_to) as valid_to,
    max(seen.evidence_url) as evidence_url,
    max(seen.checked_on) as checked_on
  from model.official_account_sighting as seen
  where seen.authority_code is not null
    and seen.handle is not null
    and seen.source = 'digital_land_authorities'
  group by seen.source, seen.authority_code, seen.platform, seen.handle, seen.snapshot_on
),

numbered as (
  select
    sighting.source,
    sighting.authority_code,
    sighting.platform,
    sighting.handle,
    sighting.snapshot_on,
    sighting.account_id,
    sighting.valid_from,
    sighting.valid_to,
    sighting.evidence_url,
    sighting.checked_on,
    snapshot.next_snapshot_on,
    snapshot.snapshot_no - row_number() over (
      partition by sighting.source, sighting.authority_code, sighting.platform, sighting.handle
      order by sighting.snapshot_on
    ) as run_no
  from sighting
  join snapshot
    on snapshot.source = sighting.source
    and snapshot.snapshot_on = sighting.snapshot_on
),

run as (
  select
    numbered.source,
    numbered.authority_code,
    numbered.platform,
    numbered.handle,
    numbered.run_no,
    min(numbered.snapshot_on) as first_seen_on,
    max(numbered.snapshot_on) as last_seen_on
  from numbered
  group by numbered.source, numbered.authority_code, numbered.platform, numbered.handle, numbered.run_no
)

select
  run.source,
  run.authority_code,
  run.platform,
  run.handle,
  newest.account_id,
  newest.valid_from as stated_from,
  coalesce(newest.valid_from, run.first_seen_on) as valid_from,
  coalesce(newest.valid_to, cast(newest.next_snapshot_on - interval 1 day as date)) as valid_to,
  run.first_seen_on,
  run.last_seen_on,
  newest.evidence_url,
  newest.checked_on
from run
join numbered as newest
  on newest.source = run.source
  and newest.authority_code = run.authority_code
  and newest.platform = run.platform
  and newest.handle = run.handle
  and newest.run_no = run.run_no
  and newest.snapshot_on = run.last_seen_on
union all
select
  stated.source,
  stated.authority_code,
  stated.platform,
  stated.handle,
  max(stated.account_id) as account_id,
  stated.valid_from as stated_from,
  coalesce(
    stated.valid_from,
    case when min(seen.snapshot_on) <= coalesce(max(stated.valid_to), date '9999-12-31') then min(seen.snapshot_on) end
  ) as valid_from,
  max(stated.valid_to) as valid_to,
  min(seen.snapshot_on) as first_seen_on,
  max(stated.snapshot_on) as last_seen_on,
  max(stated.evidence_url) as evidence_url,
  max(stated.checked_on) as checked_on
from model.official_account_sighting as stated
join newest_list on newest_list.snapshot_on = stated.snapshot_on
join model.official_account_sighting as seen
  on seen.source = stated.source
  and seen.authority_code = stated.authority_code
  and seen.platform = stated.platform
  and seen.handle = stated.handle
where stated.source = 'official_accounts'
group by stated.source, stated.authority_code, stated.platform, stated.handle, stated.valid_from
union all
select
  'wikidata_accounts' as source,
  statement.authority_code,
  statement.platform,
  statement.handle,
  statement.account_id,
  statement.valid_from as stated_from,
  coalesce(
    statement.valid_from,
    case
      when statement.first_seen_on <= coalesce(statement.valid_to, date '9999-12-31') then statement.first_seen_on
    end
  ) as valid_from,
  statement.valid_to,
  statement.first_seen_on,
  statement.last_seen_on,
  statement.evidence_url,
  statement.checked_on
from model.official_account_statement as statement
