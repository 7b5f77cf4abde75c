-- one row per ballot for a council, with the authority that its winners sit on
-- The organisation's name decides; where an export leaves it out, the name inside the ballot's identifier does.
-- A body that exists on polling day comes first; else one that begins within the year after, since the first
-- council of a new body is elected before it begins. Members of a body that was replaced by one other sit on that.
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

named as (
  select
    ballot.ballot_paper_id,
    name.authority_code,
    case when name.name_key = ballot.organisation_key then 0 else 2 end
      + case when ballot.election_date >= name.valid_from then 0 else 1 end as preference
  from ballot
  join model.authority_name as name
    on (name.name_key = ballot.organisation_key or name.name_key = ballot.organisation_slug)
    and ballot.election_date >= cast(name.valid_from - interval 1 year as date)
    and ballot.election_date <= name.valid_to
),

preferred as (
  select
    named.ballot_paper_id,
    min(named.preference) as preference
  from named
  group by named.ballot_paper_id
),

resolved as (
  select
    named.ballot_paper_id,
    min(named.authority_code) as authority_code
  from named
  join preferred
    on preferred.ballot_paper_id = named.ballot_paper_id
    and preferred.preference = named.preference
  group by named.ballot_paper_id
  having count(distinct named.authority_code) = 1
),

successor as (
  select
    succession.authority_code,
    min(succession.successor_code) as successor_code
  from model.authority_succession as succession
  where succession.is_final
  group by succession.authority_code
  having count(*) = 1
)

select
  ballot.ballot_paper_id,
  -- The members of a body that was split between several cannot be followed.
  coalesce(
    successor.successor_code,
    case when authority.valid_to is null then resolved.authority_code end
  ) as authority_code
from ballot
left join resolved on resolved.ballot_paper_id = ballot.ballot_paper_id
left join successor on successor.authority_code = resolved.authority_code
left join clean.authority as authority on authority.authority_code = resolved.authority_code
