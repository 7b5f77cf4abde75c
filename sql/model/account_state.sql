-- one row per account that is asked about, and owner that it counts for: what became of it
-- By its permanent id where a list gives one that the platform knows, else by what its handle last stood for, else
-- by what was answered to the handle alone. outcome is null where it was never asked about.
select
  owner.platform,
  owner.handle,
  owner.authority_code,
  owner.owner_kind,
  reading.account_id,
  coalesce(reading.outcome, asked.outcome) as outcome,
  reading.last_day + 1 as last_observed_on
from model.account_owner as owner
join model.platform as platform on platform.platform = owner.platform
left join model.account_reading as known
  on known.platform = owner.platform
  and known.account_id = owner.account_id
left join model.account_identity as identity
  on identity.platform = owner.platform
  and identity.handle = owner.handle
left join model.account_reading as reading
  on reading.platform = owner.platform
  and reading.account_id = coalesce(known.account_id, identity.account_id)
left join model.account_outcome as asked
  on asked.platform = owner.platform
  and asked.account_key = coalesce(owner.account_id, owner.handle)
where platform.is_observed and owner.valid_to is null
