-- one row per region, or nation outside England, and type of authority with a roster: councillors in the register
-- Whom an attacker would look for among interviewed councillors; vacant seats are nobody.
select
  coalesce(nullif(case when authority.nation = 'England' then authority.region else authority.nation end, ''),
    'not_stated') as region,
  authority.authority_type,
  count(*) as councillors
from model.council_seat as seat
join clean.authority as authority
  on authority.authority_code = seat.authority_code
  and authority.valid_to is null
where not seat.is_vacant
group by
  coalesce(nullif(case when authority.nation = 'England' then authority.region else authority.nation end, ''),
    'not_stated'),
  authority.authority_type
