-- one row per council seat, platform and election whose list of candidates shows an account of its holder
select distinct
  match.authority_code,
  match.source_row,
  account.platform,
  candidacy.election_date
from model.candidate_match as match
join clean.candidate_account as account on account.person_id = match.person_id
join clean.candidacy as candidacy
  on candidacy.person_id = account.person_id
  and candidacy.snapshot_sha256 = account.snapshot_sha256
anti join model.shared_candidate_account as shared
  on shared.platform = account.platform
  and shared.handle = account.handle
where match.outcome = 'matched' and account.handle is not null
