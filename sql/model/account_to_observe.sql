-- one row per account that the platforms are asked about
-- Its present owners only: what a dissolved body left behind is not asked for. An account that a list names by
-- its permanent id alone has no handle here.
select
  owner.platform,
  case when owner.handle = max(owner.account_id) then null else owner.handle end as handle,
  max(owner.account_id) as account_id,
  max(case when owner.owner_kind = 'council' then 1 else 0 end) = 1 as is_official
from model.account_owner as owner
join model.platform as platform on platform.platform = owner.platform
where platform.is_observed and owner.valid_to is null
group by owner.platform, owner.handle
