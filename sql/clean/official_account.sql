-- one row per official account as one snapshot of one source names it
-- DuckDB only: calls normalise_account.
with entry as (
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
    lands.snapshot_on as checked_on
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
    curated.checked_on
  from source.official_accounts as curated
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
  normalised.checked_on
from normalised
