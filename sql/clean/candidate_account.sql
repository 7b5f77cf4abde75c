-- one row per person and account that a file of candidates names for them
-- DuckDB only: calls normalise_account.
with entry as (
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'x' as platform,
    candidates.x_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.x_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'facebook' as platform,
    candidates.facebook_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.facebook_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'instagram' as platform,
    candidates.instagram_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.instagram_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'bluesky' as platform,
    candidates.bluesky_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.bluesky_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'mastodon' as platform,
    candidates.mastodon_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.mastodon_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'youtube' as platform,
    candidates.youtube_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.youtube_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'linkedin' as platform,
    candidates.linkedin_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.linkedin_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'threads' as platform,
    candidates.threads_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.threads_account is not null
  union all
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    'tiktok' as platform,
    candidates.tiktok_account as account_text
  from source.democracy_club_candidates as candidates
  where candidates.tiktok_account is not null
),

normalised as (
  select distinct
    entry.snapshot_on,
    entry.snapshot_sha256,
    entry.person_id,
    entry.platform as stated_platform,
    normalise_account(entry.platform, entry.account_text) as account
  from entry
)

select
  normalised.snapshot_on,
  normalised.snapshot_sha256,
  normalised.person_id,
  coalesce(normalised.account.platform, normalised.stated_platform) as platform,
  -- user@host on Mastodon comes with a leading @, which a spreadsheet would take for a formula.
  ltrim(coalesce(normalised.account.handle, normalised.account.account_id), '@') as handle,
  normalised.account.fault as fault
from normalised
