-- one row per official account as one snapshot names it, resolved to the authority that the source means
-- An item of Wikidata may bear the codes of several bodies that had one area: an account is of the body that was
-- there when it last was one. What the item of an area states counts only on platforms of which the item of its
-- council states nothing: places are advertised by others too.
with gss as (
  select
    code.gss_code,
    min(code.authority_code) as authority_code
  from clean.authority_gss as code
  group by code.gss_code
  having count(distinct code.authority_code) = 1
),

resolved as (
  select
    account.source,
    account.snapshot_on,
    account.platform,
    account.handle,
    account.account_id,
    account.fault,
    account.gss_code,
    authority.authority_code,
    authority.valid_from as body_from,
    account.valid_from,
    account.valid_to,
    account.evidence_url,
    account.checked_on,
    account.item,
    account.found_through,
    coalesce(
      coalesce(account.valid_to, account.snapshot_on)
      between coalesce(authority.valid_from, date '0001-01-01') and coalesce(authority.valid_to, date '9999-12-31'),
      false
    ) and authority.authority_code is not null as was_there
  from clean.official_account as account
  left join gss on gss.gss_code = account.gss_code
  left join clean.authority as authority
    on authority.authority_code = coalesce(account.authority_code, gss.authority_code)
),

compared as (
  select
    resolved.source,
    resolved.snapshot_on,
    resolved.platform,
    resolved.handle,
    resolved.account_id,
    resolved.fault,
    resolved.gss_code,
    resolved.authority_code,
    resolved.body_from,
    resolved.valid_from,
    resolved.valid_to,
    resolved.evidence_url,
    resolved.checked_on,
    resolved.item,
    resolved.found_through,
    resolved.was_there,
    max(case when resolved.was_there then 1 else 0 end) over (
      partition by resolved.source, resolved.snapshot_on, resolved.item, resolved.platform, resolved.handle,
        resolved.valid_from, resolved.valid_to
    ) as bodies_there,
    max(case when resolved.found_through = 'linked_body' then 1 else 0 end) over (
      partition by resolved.source, resolved.snapshot_on, resolved.platform,
        coalesce(resolved.authority_code, resolved.gss_code)
    ) as is_told_by_council
  from resolved
)

select
  compared.source,
  compared.snapshot_on,
  compared.platform,
  compared.handle,
  compared.account_id,
  compared.fault,
  compared.gss_code,
  compared.authority_code,
  -- Where a body took over the area, it took over the account: before that it was the other one's.
  case
    when compared.source = 'wikidata_accounts' and compared.valid_from < compared.body_from and compared.was_there
      then compared.body_from
    else compared.valid_from
  end as valid_from,
  compared.valid_to,
  compared.evidence_url,
  compared.checked_on,
  compared.item
from compared
where compared.source <> 'wikidata_accounts'
  or (
    (compared.was_there or compared.bodies_there = 0)
    and (compared.found_through = 'linked_body' or compared.is_told_by_council = 0)
  )
