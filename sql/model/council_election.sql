-- one row per ballot for a council, with the authority that it is for
-- The organisation's name decides; where an export leaves it out, the name inside the ballot's identifier does.
with ballot as (
  select
    candidacy.ballot_paper_id,
    candidacy.election_date,
    max(candidacy.organisation_key) as organisation_key,
    max(candidacy.organisation_slug) as organisation_slug
  from clean.candidacy as candidacy
  where candidacy.is_for_council
  group by candidacy.ballot_paper_id, candidacy.election_date
),

by_name as (
  select
    ballot.ballot_paper_id,
    min(name.authority_code) as authority_code
  from ballot
  join model.authority_name as name
    on name.name_key = ballot.organisation_key
    and ballot.election_date between name.valid_from and name.valid_to
  group by ballot.ballot_paper_id
  having count(distinct name.authority_code) = 1
),

by_slug as (
  select
    ballot.ballot_paper_id,
    min(name.authority_code) as authority_code
  from ballot
  join model.authority_name as name
    on name.name_key = ballot.organisation_slug
    and ballot.election_date between name.valid_from and name.valid_to
  group by ballot.ballot_paper_id
  having count(distinct name.authority_code) = 1
)

select
  ballot.ballot_paper_id,
  coalesce(by_name.authority_code, by_slug.authority_code) as authority_code
from ballot
left join by_name on by_name.ballot_paper_id = ballot.ballot_paper_id
left join by_slug on by_slug.ballot_paper_id = ballot.ballot_paper_id
