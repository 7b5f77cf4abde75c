-- one row per official account, authority and period: active ones first
select *
from authority_accounts
order by status <> 'active', platform, first_seen_on desc, handle, period
