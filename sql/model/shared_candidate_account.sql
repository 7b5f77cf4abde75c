-- one row per account that several candidates of different surnames give as theirs
-- Such an account is a party's or a campaign's and shows nothing about any of them. One person whose surname is
-- written in two ways, or one with two numbers, is still one person.
select
  account.platform,
  account.handle,
  min(account.snapshot_on) as first_seen_on
from clean.candidate_account as account
join clean.candidacy as candidacy on candidacy.person_id = account.person_id
where account.handle is not null
group by account.platform, account.handle
having count(distinct candidacy.surname_key) > 1 and count(distinct account.person_id) > 1
