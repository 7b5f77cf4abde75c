-- one row per council seat, platform and list of candidates in which an account of its holder was found
-- A list is all files of candidates that stand for one day.
select distinct
  match.authority_code,
  match.snapshot_on,
  match.source_row,
  account.platform,
  account.snapshot_on as list_on
from model.candidate_match as match
join clean.candidate_account as account on account.person_id = match.person_id
where match.outcome = 'matched' and account.handle is not null
