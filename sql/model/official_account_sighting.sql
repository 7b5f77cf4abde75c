-- one row per official account as one snapshot names it, resolved to the authority that the source means
with gss as (
  select
    code.gss_code,
    min(code.authority_code) as authority_code
  from clean.authority_gss as code
  group by code.gss_code
  having count(distinct code.authority_code) = 1
)

select
  account.source,
  account.snapshot_on,
  account.platform,
  account.handle,
  account.account_id,
  account.fault,
  account.gss_code,
  authority.authority_code,
  account.valid_from,
  account.valid_to,
  account.evidence_url,
  account.checked_on
from clean.official_account as account
left join gss on gss.gss_code = account.gss_code
left join clean.authority as authority
  on authority.authority_code = coalesce(account.authority_code, gss.authority_code)
