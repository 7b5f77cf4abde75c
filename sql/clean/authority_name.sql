-- one row per normalised spelling of a name and authority
-- DuckDB only: text functions. The key keeps letters and digits, so that "&" and "and", hyphens and case agree.
with spelling as (
  select
    lookup.name,
    lookup.authority_code
  from source.authority_name_lookup as lookup
  union
  select
    register.official_name as name,
    register.authority_code
  from source.authority_register as register
  union
  select
    register.nice_name as name,
    register.authority_code
  from source.authority_register as register
  union
  select
    register.gov_uk_slug as name,
    register.authority_code
  from source.authority_register as register
  where register.gov_uk_slug is not null
)

select distinct
  name_key(spelling.name) as name_key,
  spelling.authority_code
from spelling
