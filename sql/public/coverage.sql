-- one row per current authority and platform
with platform as (
  select named.platform
  from (
    values
      ('bluesky'), ('facebook'), ('instagram'), ('linkedin'), ('mastodon'), ('threads'), ('tiktok'), ('x'), ('youtube')
  ) as named (platform)
),

looked as (
  select distinct
    authority.authority_code,
    'x' as platform
  from clean.authority as authority
  join clean.official_account_snapshot as snapshot on snapshot.source = 'digital_land_authorities'
  where authority.nation = 'England'
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

candidates as (
  select distinct election.authority_code
  from model.council_election as election
  where election.authority_code is not null
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
    when candidates.authority_code is not null then 'looked for'
    else 'not covered'
  end as councillor_accounts
from clean.authority as authority
cross join platform
left join held
  on held.authority_code = authority.authority_code
  and held.platform = platform.platform
left join looked
  on looked.authority_code = authority.authority_code
  and looked.platform = platform.platform
left join candidates on candidates.authority_code = authority.authority_code
where authority.valid_to is null
