-- one row per authority and platform: the widest use first
select *
from account_adoption
order by account_share desc nulls last, platform
