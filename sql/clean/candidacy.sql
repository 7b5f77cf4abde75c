-- one row per candidate and ballot, as the newest snapshot of each file names it
-- DuckDB only: text functions and surname_key.
-- A ballot is called kind.organisation.division.date, or kind.organisation.date where a whole area votes.
with named as (
  select
    candidates.snapshot_on,
    candidates.snapshot_sha256,
    candidates.person_id,
    trim(candidates.person_name, '"') as person_name,
    candidates.ballot_paper_id,
    candidates.election_date,
    string_split(candidates.ballot_paper_id, '.') as parts,
    trim(candidates.organisation_name, '"') as organisation_name,
    trim(candidates.post_label, '"') as post_label
  from source.democracy_club_candidates as candidates
)

select
  named.snapshot_on,
  named.snapshot_sha256,
  named.person_id,
  named.person_name,
  surname_key(named.person_name) as surname_key,
  named.ballot_paper_id,
  named.election_date,
  named.parts[1] in ('local', 'mayor') as is_for_council,
  named.parts[1] = 'local' as is_for_ward,
  named.parts[2] as organisation_slug,
  name_key(named.organisation_name) as organisation_key,
  case
    when named.parts[1] = 'local'
      then name_key(named.post_label)
  end as ward_key
from named
