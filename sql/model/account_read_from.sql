-- one row per account that was ever read: from when on its posts were read completely
-- newest per platform, account_id by seconds_back
-- What is merged keeps the greatest of a column, and here the earliest moment is wanted: seconds_back counts
-- backwards from the end of the century.
select
  account.platform,
  account.account_id,
  min(account.read_from) as read_from,
  max(unix_timestamp(timestamp '2100-01-01 00:00:00') - unix_timestamp(account.read_from)) as seconds_back
from observation.account as account
where account.account_id is not null and account.read_from is not null
group by account.platform, account.account_id
