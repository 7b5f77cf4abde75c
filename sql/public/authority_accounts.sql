-- one row per official account, authority and period in which it held
select
  account.authority_code,
  account.platform,
  account.handle,
  account.period,
  account.account_id,
  account.first_seen_on,
  account.valid_from,
  account.valid_to,
  account.status,
  account.listed_authority_code,
  account.source,
  account.evidence_url,
  account.checked_on as verified_on
from model.official_account as account
