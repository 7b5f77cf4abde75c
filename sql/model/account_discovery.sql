-- one row per authority with a candidates' list and platform: how many seats were reached and accounts found
-- Recall is estimated by capture and recapture from the lists of two elections of the authority, those in which
-- most of today's holders stood, among seats whose holder stands in both: D. G. Chapman, University of California Publications in Statistics 1 (1951) 131-160. It is left empty
-- where fewer than ten accounts stand in both lists, since the estimate is then too unsteady.
with seen as (
  select distinct
    match.authority_code,
    match.source_row,
    candidacy.election_date
  from model.candidate_match as match
  join clean.candidacy as candidacy on candidacy.person_id = match.person_id
  where match.outcome = 'matched'
),

list as (
  select
    counted.authority_code,
    counted.election_date,
    row_number() over (
      partition by counted.authority_code
      order by counted.seats desc, counted.election_date desc
    ) as list_no
  from (
    select
      seen.authority_code,
      seen.election_date,
      count(*) as seats
    from seen
    group by seen.authority_code, seen.election_date
  ) as counted
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

reached as (
  select
    seen.authority_code,
    seen.source_row,
    max(case when list.list_no = 1 then 1 else 0 end) as in_first,
    max(case when list.list_no = 2 then 1 else 0 end) as in_second
  from seen
  join list
    on list.authority_code = seen.authority_code
    and list.election_date = seen.election_date
  group by seen.authority_code, seen.source_row
),

found as (
  select
    account.authority_code,
    account.source_row,
    account.platform,
    max(case when list.list_no = 1 then 1 else 0 end) as in_first,
    max(case when list.list_no = 2 then 1 else 0 end) as in_second
  from model.councillor_account as account
  join list
    on list.authority_code = account.authority_code
    and list.election_date = account.election_date
  group by account.authority_code, account.source_row, account.platform
),

reach as (
  select
    reached.authority_code,
    count(*) as reached_seats
  from reached
  group by reached.authority_code
),

counted as (
  select
    found.authority_code,
    found.platform,
    count(*) as accounts_found,
    sum(found.in_first * twice.is_twice) as in_first,
    sum(found.in_second * twice.is_twice) as in_second,
    sum(found.in_first * found.in_second * twice.is_twice) as in_both
  from found
  join (
    select
      reached.authority_code,
      reached.source_row,
      reached.in_first * reached.in_second as is_twice
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
  coalesce(counted.accounts_found, 0) as accounts_found,
  case
    when counted.in_both >= 10
      then round(
        cast(counted.in_first + counted.in_second - counted.in_both as double)
        / (cast((counted.in_first + 1) * (counted.in_second + 1) as double) / (counted.in_both + 1) - 1),
        4
      )
  end as discovery_recall
from covered
cross join model.platform as platform
left join reach on reach.authority_code = covered.authority_code
left join counted
  on counted.authority_code = covered.authority_code
  and counted.platform = platform.platform
