-- one row per authority, platform and day the candidates' lists stand for
-- Rule D12: nothing about fewer than ten contributing accounts is published, not even that there are none.
select
  discovery.authority_code,
  discovery.platform,
  discovery.as_of_on,
  seats.seats,
  discovery.reached_seats,
  round(cast(discovery.reached_seats as double) / seats.seats, 4) as reached_share,
  case when discovery.accounts_found >= 10 then discovery.accounts_found end as accounts_found,
  case
    when discovery.accounts_found >= 10 then round(cast(discovery.accounts_found as double) / seats.seats, 4)
  end as account_share,
  case
    when discovery.accounts_found >= 10
      then wilson_low(cast(discovery.accounts_found as double), seats.seats)
  end as account_share_low,
  case
    when discovery.accounts_found >= 10
      then wilson_high(cast(discovery.accounts_found as double), seats.seats)
  end as account_share_high,
  case when discovery.accounts_found >= 10 then discovery.discovery_recall end as discovery_recall,
  'candidates matched to councillors' as found_by,
  case when discovery.accounts_found < 10 then 'fewer than 10 contributing accounts' end as withheld_reason
from model.account_discovery as discovery
join model.authority_seats as seats on seats.authority_code = discovery.authority_code
