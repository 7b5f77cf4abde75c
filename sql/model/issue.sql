-- one row per rule, dataset and source that something in the inputs does not satisfy
-- Row rules of the contracts are counted elsewhere (quarantine.issues); here stands what only a join can see.
with account_fault as (
  select
    case when seen.handle is null then 'account_unusable' else 'account_repaired' end as rule,
    seen.source,
    seen.snapshot_on
  from model.official_account_sighting as seen
  where seen.fault is not null
),

candidate_fault as (
  select
    'candidate_account_' || account.fault as rule,
    account.snapshot_on
  from clean.candidate_account as account
  where account.fault is not null
),

shared as (
  select
    account.platform,
    account.handle,
    min(account.source) as source,
    min(account.first_seen_on) as first_seen_on
  from model.official_account as account
  where account.valid_to is null
  group by account.platform, account.handle
  having count(distinct account.authority_code) > 1
),

roster_council as (
  select
    seat.council_key,
    min(seat.snapshot_on) as snapshot_on,
    count(distinct name.authority_code) as authorities
  from clean.councillor_seat as seat
  left join model.authority_name as name
    on name.name_key = seat.council_key
    and seat.snapshot_on between name.valid_from and name.valid_to
  group by seat.council_key
),

-- What is about councillors' accounts stands here from ten accounts on (rule D12).
lost as (
  select
    case state.outcome
      when 'opted_out' then 'account_opted_out'
      when 'failed' then 'account_never_answered'
      else 'account_' || state.outcome
    end as rule,
    case state.owner_kind
      when 'council' then 'account_activity_weekly'
      else 'authority_engagement_monthly'
    end as dataset,
    state.platform as source,
    count(distinct state.handle) as accounts,
    min(state.last_observed_on) as seen_on
  from model.account_state as state
  where state.outcome <> 'observed'
  group by state.outcome, state.owner_kind, state.platform
  having state.owner_kind = 'council' or count(distinct state.handle) >= 10
),

misdated as (
  select
    case owner.owner_kind
      when 'council' then 'account_activity_weekly'
      else 'authority_engagement_monthly'
    end as dataset,
    post.platform as source,
    count(*) as posts,
    cast(min(post.observed_at) as date) as seen_on
  from model.post as post
  join (
    select distinct
      owned.platform,
      owned.account_id,
      owned.owner_kind
    from model.owned_account as owned
  ) as owner
    on owner.platform = post.platform
    and owner.account_id = post.account_id
  where not post.is_dated_plausibly
  group by owner.owner_kind, post.platform
  having owner.owner_kind = 'council' or count(distinct post.account_id) >= 10
),

issue as (
  select
    account_fault.rule,
    'authority_accounts' as dataset,
    account_fault.source,
    account_fault.snapshot_on as seen_on
  from account_fault
  union all
  select
    'account_of_unknown_authority' as rule,
    'authority_accounts' as dataset,
    seen.source,
    seen.snapshot_on as seen_on
  from model.official_account_sighting as seen
  where seen.authority_code is null
  union all
  select
    'account_on_dissolved_authority' as rule,
    'authority_accounts' as dataset,
    account.source,
    account.first_seen_on as seen_on
  from model.official_account as account
  where account.status = 'dissolved' and account.is_still_listed
  union all
  select
    'account_on_split_authority' as rule,
    'authority_accounts' as dataset,
    account.source,
    account.first_seen_on as seen_on
  from model.official_account as account
  where account.status = 'dissolved' and account.is_still_listed and account.successors > 1
  union all
  select
    'account_shared_by_authorities' as rule,
    'authority_accounts' as dataset,
    shared.source,
    shared.first_seen_on as seen_on
  from shared
  union all
  select
    candidate_fault.rule,
    'account_adoption' as dataset,
    'democracy_club_candidates' as source,
    candidate_fault.snapshot_on as seen_on
  from candidate_fault
  union all
  select
    'candidate_account_shared' as rule,
    'account_adoption' as dataset,
    'democracy_club_candidates' as source,
    shared.first_seen_on as seen_on
  from model.shared_candidate_account as shared
  union all
  select
    'ballot_not_for_council' as rule,
    'account_adoption' as dataset,
    'democracy_club_candidates' as source,
    min(candidacy.snapshot_on) as seen_on
  from clean.candidacy as candidacy
  where not candidacy.is_for_council
  group by candidacy.ballot_paper_id
  union all
  select
    'ballot_for_unknown_council' as rule,
    'account_adoption' as dataset,
    'democracy_club_candidates' as source,
    min(candidacy.snapshot_on) as seen_on
  from model.council_election as election
  join clean.candidacy as candidacy on candidacy.ballot_paper_id = election.ballot_paper_id
  where election.authority_code is null
  group by election.ballot_paper_id
  union all
  select
    'candidate_match_ambiguous' as rule,
    'account_adoption' as dataset,
    'democracy_club_candidates' as source,
    match.snapshot_on as seen_on
  from model.candidate_match as match
  where match.outcome = 'ambiguous'
  union all
  select
    'roster_of_unknown_council' as rule,
    'account_adoption' as dataset,
    'open_council_data_councillors' as source,
    roster_council.snapshot_on as seen_on
  from roster_council
  where roster_council.authorities <> 1
  union all
  select
    'seats_differ_from_control' as rule,
    'authorities' as dataset,
    'open_council_data_councillors' as source,
    seats.as_of_on as seen_on
  from model.authority_seats as seats
  where seats.seats <> seats.control_seats and seats.control_year >= date_part('year', seats.as_of_on)
  union all
  select
    'gss_code_out_of_date' as rule,
    'authorities' as dataset,
    'authority_register' as source,
    changes.snapshot_on as seen_on
  from clean.gss_change as changes
  join clean.authority as authority
    on authority.authority_code = changes.authority_code
    and authority.gss_code = changes.former_gss_code
  union all
  select
    'authority_unknown_to_register' as rule,
    'authorities' as dataset,
    'lgsf_councils' as source,
    councils.snapshot_on as seen_on
  from source.lgsf_councils as councils
  anti join clean.authority as authority on authority.authority_code = councils.authority_code
),

counted as (
  select
    issue.rule,
    issue.dataset,
    issue.source,
    count(*) as rows_affected,
    min(issue.seen_on) as first_seen_on
  from issue
  group by issue.rule, issue.dataset, issue.source
  union all
  select
    lost.rule,
    lost.dataset,
    lost.source,
    lost.accounts as rows_affected,
    lost.seen_on as first_seen_on
  from lost
  union all
  select
    'post_dated_implausibly' as rule,
    misdated.dataset,
    misdated.source,
    misdated.posts as rows_affected,
    misdated.seen_on as first_seen_on
  from misdated
)

select
  counted.rule,
  counted.dataset,
  counted.source,
  case
    when counted.rule in ('ballot_not_for_council', 'candidate_match_ambiguous') then 'us'
    else 'source'
  end as responsibility,
  counted.rows_affected,
  counted.first_seen_on
from counted
