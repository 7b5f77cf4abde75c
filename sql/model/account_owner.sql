-- one row per listed account, authority that it speaks for or whose councillor holds it, and period
-- An account of a council is never counted as a councillor's, even where a candidate gives it as theirs. A first
-- day that is only the day on which a list first showed the account does not keep older posts out, unless the
-- account spoke for somebody else before. Nobody's post counts for a body that was not there yet; a councillor's
-- counts from the first listed election in which the holder of the seat stood for the council.
with official as (
  select
    account.platform,
    account.handle,
    account.authority_code,
    account.account_id,
    case
      when account.valid_from = account.first_seen_on
        and rank() over (
          partition by account.platform, account.handle
          order by coalesce(account.valid_from, account.first_seen_on)
        ) = 1
        then null
      else account.valid_from
    end as valid_from,
    account.valid_to
  from model.official_account as account
),

held as (
  select
    account.platform,
    account.handle,
    match.authority_code,
    min(candidacy.election_date) as valid_from
  from model.candidate_match as match
  join clean.candidate_account as account on account.person_id = match.person_id
  join clean.candidacy as candidacy on candidacy.person_id = match.person_id
  join model.council_election as election
    on election.ballot_paper_id = candidacy.ballot_paper_id
    and election.authority_code = match.authority_code
  anti join model.shared_candidate_account as shared
    on shared.platform = account.platform
    and shared.handle = account.handle
  anti join model.official_account as official
    on official.platform = account.platform
    and official.handle = account.handle
  where match.outcome = 'matched' and account.handle is not null
  group by account.platform, account.handle, match.authority_code
),

owner as (
  select
    official.platform,
    official.handle,
    official.authority_code,
    'council' as owner_kind,
    official.account_id,
    official.valid_from,
    official.valid_to
  from official
  union all
  select
    held.platform,
    held.handle,
    held.authority_code,
    'councillor' as owner_kind,
    cast(null as varchar) as account_id,
    held.valid_from,
    cast(null as date) as valid_to
  from held
)

select distinct
  owner.platform,
  owner.handle,
  owner.authority_code,
  owner.owner_kind,
  owner.account_id,
  greatest(owner.valid_from, authority.valid_from) as valid_from,
  least(owner.valid_to, authority.valid_to) as valid_to
from owner
join clean.authority as authority on authority.authority_code = owner.authority_code
