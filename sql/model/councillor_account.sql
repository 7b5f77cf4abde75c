-- one row per council seat, platform and list of candidates in which an account of its holder was found
-- A list is all files of candidates that stand for one day. An account that candidates of different surnames
-- give as theirs is a party's or a campaign's, and shows nothing about any of them.
with personal as (
  select
    account.platform,
    account.handle
  from clean.candidate_account as account
  join clean.candidacy as candidacy on candidacy.person_id = account.person_id
  where account.handle is not null
  group by account.platform, account.handle
  having count(distinct candidacy.surname_key) = 1
)

select distinct
  match.authority_code,
  match.snapshot_on,
  match.source_row,
  account.platform,
  account.snapshot_on as list_on
from model.candidate_match as match
join clean.candidate_account as account on account.person_id = match.person_id
join personal
  on personal.platform = account.platform
  and personal.handle = account.handle
where match.outcome = 'matched'
