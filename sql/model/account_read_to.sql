-- one row per account that was ever read: up to when its posts were read completely
-- newest per platform, account_id by read_to
select
  account.platform,
  account.account_id,
  max(account.read_to) as read_to
from observation.account as account
where account.account_id is not null and account.read_to is not null
group by account.platform, account.account_id
