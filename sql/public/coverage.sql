-- one row per current authority and platform
with looked as (
  select distinct
    code.authority_code,
    'x' as platform
  from clean.listed_body as body
  join clean.authority_gss as code on code.gss_code = body.gss_code
),

held as (
  select
    account.authority_code,
    account.platform,
    count(*) as accounts,
    max(account.checked_on) as checked_on
  from model.official_account as account
  where account.valid_to is null
  group by account.authority_code, account.platform
),

-- Of several accounts the one that can be seen best speaks for the council.
observed as (
  select
    state.authority_code,
    state.platform,
    min(
      case state.outcome
        when 'observed' then 1
        when 'restricted' then 2
        when 'opted_out' then 3
        when 'moved' then 4
        when 'unavailable' then 5
        when 'failed' then 5
      end
    ) as best,
    max(state.last_observed_on) as last_observed_on
  from model.account_state as state
  where state.owner_kind = 'council'
  group by state.authority_code, state.platform
),

searched as (
  select
    election.authority_code,
    max(case when candidacy.is_for_ward then 1 else 0 end) as for_wards
  from model.council_election as election
  join clean.candidacy as candidacy on candidacy.ballot_paper_id = election.ballot_paper_id
  where election.authority_code is not null
  group by election.authority_code
)

select
  authority.authority_code,
  platform.platform,
  case
    when held.accounts is not null then 'has account'
    when looked.authority_code is not null then 'none found'
    else 'not covered'
  end as council_account,
  held.checked_on,
  case
    when searched.for_wards = 1 then 'looked for'
    when searched.for_wards = 0 then 'mayoral candidates only'
    else 'not covered'
  end as councillor_accounts,
  case observed.best
    when 1 then 'observed'
    when 2 then 'restricted'
    when 3 then 'opted out'
    when 4 then 'moved'
    when 5 then 'unreachable'
    else 'not collected'
  end as collection,
  observed.last_observed_on
from clean.authority as authority
cross join model.platform as platform
left join held
  on held.authority_code = authority.authority_code
  and held.platform = platform.platform
left join looked
  on looked.authority_code = authority.authority_code
  and looked.platform = platform.platform
left join observed
  on observed.authority_code = authority.authority_code
  and observed.platform = platform.platform
left join searched on searched.authority_code = authority.authority_code
where authority.valid_to is null
