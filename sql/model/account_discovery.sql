-- one row per authority with a candidates' list and platform: how many seats were reached and accounts found
-- Recall is estimated by capture and recapture from the two newest lists, among seats whose holder stands in
-- both: D. G. Chapman, University of California Publications in Statistics 1 (1951) 131-160. It is left empty
-- where fewer than ten accounts stand in both lists, since the estimate is then too unsteady.
with list as (
  select
    taken.list_on,
    row_number() over (order by taken.list_on desc) as list_no
  from (select distinct candidacy.snapshot_on as list_on from clean.candidacy as candidacy) as taken
),

covered as (
  select
    election.authority_code,
    max(candidacy.snapshot_on) as as_of_on
  from model.council_election as election
  join clean.candidacy as candidacy on candidacy.ballot_paper_id = election.ballot_paper_id
  join model.authority_seats as seats on seats.authority_code = election.authority_code
  group by election.authority_code
),

platform as (
  select named.platform
  from (
    values
      ('bluesky'), ('facebook'), ('instagram'), ('linkedin'), ('mastodon'), ('threads'), ('tiktok'), ('x'), ('youtube')
  ) as named (platform)
),

reached as (
  select
    match.authority_code,
    match.source_row,
    max(case when list.list_no = 1 then 1 else 0 end) as in_newest,
    max(case when list.list_no = 2 then 1 else 0 end) as in_second
  from model.candidate_match as match
  join clean.candidacy as candidacy on candidacy.person_id = match.person_id
  join list on list.list_on = candidacy.snapshot_on
  where match.outcome = 'matched'
  group by match.authority_code, match.source_row
),

found as (
  select
    account.authority_code,
    account.source_row,
    account.platform,
    max(case when list.list_no = 1 then 1 else 0 end) as in_newest,
    max(case when list.list_no = 2 then 1 else 0 end) as in_second
  from model.councillor_account as account
  join list on list.list_on = account.list_on
  group by account.authority_code, account.source_row, account.platform
),

reach as (
  select
    reached.authority_code,
    count(*) as reached_seats,
    sum(reached.in_newest * reached.in_second) as reached_twice
  from reached
  group by reached.authority_code
),

counted as (
  select
    found.authority_code,
    found.platform,
    count(*) as accounts_found,
    sum(found.in_newest * twice.is_twice) as in_newest,
    sum(found.in_second * twice.is_twice) as in_second,
    sum(found.in_newest * found.in_second * twice.is_twice) as in_both
  from found
  join (
    select
      reached.authority_code,
      reached.source_row,
      reached.in_newest * reached.in_second as is_twice
    from reached
  ) as twice
    on twice.authority_code = found.authority_code
    and twice.source_row = found.source_row
  group by found.authority_code, found.platform
)

select
  covered.authority_code,
  platform.platform,
  covered.as_of_on,
  coalesce(reach.reached_seats, 0) as reached_seats,
  coalesce(reach.reached_twice, 0) as reached_twice,
  coalesce(counted.accounts_found, 0) as accounts_found,
  case
    when counted.in_both >= 10
      then least(1.0, round(
        cast(counted.in_newest + counted.in_second - counted.in_both as double)
        / (cast((counted.in_newest + 1) * (counted.in_second + 1) as double) / (counted.in_both + 1) - 1),
        4
      ))
  end as discovery_recall
from covered
cross join platform
left join reach on reach.authority_code = covered.authority_code
left join counted
  on counted.authority_code = covered.authority_code
  and counted.platform = platform.platform
