-- one row per candidate and council seat whose holder may be the same person
-- DuckDB only: calls compare_names. The score is three parts of name and one part of ward: a ward that is not
-- stated (a whole council votes for its mayor) counts half. From 0.6 on a pair is a match, unless another seat
-- of the same person, or another person for the same seat, comes within 0.2: then it is ambiguous, and never
-- taken.
with standing as (
  select distinct
    candidacy.person_id,
    candidacy.person_name,
    candidacy.surname_key,
    candidacy.ward_key,
    election.authority_code
  from clean.candidacy as candidacy
  join model.council_election as election on election.ballot_paper_id = candidacy.ballot_paper_id
  where election.authority_code is not null
),

pair as (
  select
    standing.person_id,
    seat.authority_code,
    seat.snapshot_on,
    seat.source_row,
    standing.ward_key,
    compare_names(standing.person_name, seat.councillor_name) as compared,
    case
      when standing.ward_key is null then 0.5
      when standing.ward_key = seat.ward_key then 1.0
      else 0.0
    end as ward_score
  from standing
  join model.council_seat as seat
    on seat.authority_code = standing.authority_code
    and (seat.surname_key = standing.surname_key or seat.ward_key = standing.ward_key)
  where not seat.is_vacant
),

weighed as (
  select
    pair.person_id,
    pair.authority_code,
    pair.snapshot_on,
    pair.source_row,
    pair.compared.score as name_score,
    pair.compared.surname as surname_relation,
    pair.compared.given as given_relation,
    pair.ward_score,
    round(0.75 * pair.compared.score + 0.25 * pair.ward_score, 3) as match_score
  from pair
  -- In another ward than the holder's only the very same name will do.
  where pair.compared.score >= 0.5 and (pair.ward_score > 0 or pair.compared.score = 1)
),

-- A person who stood under two names or in two wards is judged by the better of them.
scored as (
  select
    best.person_id,
    best.authority_code,
    best.snapshot_on,
    best.source_row,
    best.name_score,
    best.surname_relation,
    best.given_relation,
    best.ward_score,
    best.match_score
  from (
    select
      weighed.person_id,
      weighed.authority_code,
      weighed.snapshot_on,
      weighed.source_row,
      weighed.name_score,
      weighed.surname_relation,
      weighed.given_relation,
      weighed.ward_score,
      weighed.match_score,
      row_number() over (
        partition by weighed.person_id, weighed.authority_code, weighed.snapshot_on, weighed.source_row
        order by weighed.match_score desc, weighed.name_score desc, weighed.surname_relation, weighed.given_relation
      ) as best_first
    from weighed
  ) as best
  where best.best_first = 1
),

ranked as (
  select
    scored.person_id,
    scored.authority_code,
    scored.snapshot_on,
    scored.source_row,
    scored.name_score,
    scored.ward_score,
    scored.match_score,
    scored.surname_relation,
    scored.given_relation,
    row_number() over (
      partition by scored.person_id, scored.authority_code
      order by scored.match_score desc, scored.source_row
    ) as seat_rank,
    row_number() over (
      partition by scored.authority_code, scored.snapshot_on, scored.source_row
      order by scored.match_score desc, scored.person_id
    ) as person_rank,
    lead(scored.match_score) over (
      partition by scored.person_id, scored.authority_code
      order by scored.match_score desc, scored.source_row
    ) as next_seat_score,
    lead(scored.match_score) over (
      partition by scored.authority_code, scored.snapshot_on, scored.source_row
      order by scored.match_score desc, scored.person_id
    ) as next_person_score
  from scored
  where scored.match_score >= 0.6
)

select
  ranked.person_id,
  ranked.authority_code,
  ranked.snapshot_on,
  ranked.source_row,
  ranked.name_score,
  ranked.ward_score,
  ranked.match_score,
  ranked.surname_relation,
  ranked.given_relation,
  case
    when ranked.seat_rank > 1 or ranked.person_rank > 1 then 'outranked'
    when coalesce(ranked.match_score - ranked.next_seat_score, 1) < 0.2 then 'ambiguous'
    when coalesce(ranked.match_score - ranked.next_person_score, 1) < 0.2 then 'ambiguous'
    else 'matched'
  end as outcome
from ranked
