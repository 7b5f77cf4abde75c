-- one row per official account as one snapshot of one source names it
-- DuckDB only: calls normalise_account.
-- Wikidata knows some dates only to the month or the year: a period then begins with the first day of it and ends
-- with the last. An end that is still to come is none.
with stated as (
  select
    wiki.snapshot_on,
    wiki.item,
    wiki.found_through,
    wiki.gss_code,
    wiki.platform,
    wiki.account,
    wiki.account_id,
    wiki.evidence_url,
    try_cast(wiki.valid_from || substr('0000-01-01', length(wiki.valid_from) + 1) as date) as began_on,
    try_cast(wiki.valid_to || substr('0000-01-01', length(wiki.valid_to) + 1) as date) as ended_from,
    case length(wiki.valid_to)
      when 4 then try_cast(wiki.valid_to || '-12-31' as date)
      when 7 then last_day(try_cast(wiki.valid_to || '-01' as date))
      else try_cast(wiki.valid_to as date)
    end as ended_to
  from source.wikidata_accounts as wiki
),

entry as (
  select
    'digital_land_authorities' as source,
    lands.snapshot_on,
    cast(null as varchar) as authority_code,
    lands.gss_code,
    'x' as platform,
    lands.x_handle as account_text,
    cast(null as varchar) as account_id,
    cast(null as date) as valid_from,
    cast(null as date) as valid_to,
    'https://www.planning.data.gov.uk/dataset/local-authority' as evidence_url,
    lands.snapshot_on as checked_on,
    cast(null as varchar) as item,
    cast(null as varchar) as found_through
  from source.digital_land_authorities as lands
  where lands.x_handle is not null
  union all
  select
    'official_accounts' as source,
    curated.snapshot_on,
    curated.authority_code,
    cast(null as varchar) as gss_code,
    curated.platform,
    curated.account as account_text,
    curated.account_id,
    curated.valid_from,
    curated.valid_to,
    curated.evidence_url,
    curated.checked_on,
    cast(null as varchar) as item,
    cast(null as varchar) as found_through
  from source.official_accounts as curated
  union all
  select
    'wikidata_accounts' as source,
    stated.snapshot_on,
    cast(null as varchar) as authority_code,
    stated.gss_code,
    stated.platform,
    stated.account as account_text,
    stated.account_id,
    stated.began_on as valid_from,
    case when stated.ended_from <= stated.snapshot_on then least(stated.ended_to, stated.snapshot_on) end as valid_to,
    stated.evidence_url,
    stated.snapshot_on as checked_on,
    stated.item,
    stated.found_through
  from stated
),

normalised as (
  select
    entry.source,
    entry.snapshot_on,
    entry.authority_code,
    entry.gss_code,
    entry.platform as stated_platform,
    entry.account_id,
    entry.valid_from,
    entry.valid_to,
    entry.evidence_url,
    entry.checked_on,
    entry.item,
    entry.found_through,
    normalise_account(entry.platform, entry.account_text) as account
  from entry
)

select
  normalised.source,
  normalised.snapshot_on,
  normalised.authority_code,
  normalised.gss_code,
  coalesce(normalised.account.platform, normalised.stated_platform) as platform,
  -- user@host on Mastodon comes with a leading @, which a spreadsheet would take for a formula.
  ltrim(coalesce(normalised.account.handle, normalised.account.account_id), '@') as handle,
  coalesce(normalised.account_id, normalised.account.account_id) as account_id,
  normalised.account.fault as fault,
  normalised.valid_from,
  normalised.valid_to,
  normalised.evidence_url,
  normalised.checked_on,
  normalised.item,
  normalised.found_through
from normalised
