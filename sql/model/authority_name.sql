-- one row per normalised spelling of a name and authority, with the days on which the authority exists
select
  name.name_key,
  name.authority_code,
  coalesce(authority.valid_from, date '1000-01-01') as valid_from,
  coalesce(authority.valid_to, date '9999-12-31') as valid_to
from clean.authority_name as name
join clean.authority as authority on authority.authority_code = name.authority_code
