-- one row per authority that Open Council Data has given a number
select
  lookup.authority_code,
  cast(lookup.open_council_data_id as bigint) as open_council_data_id
from source.authority_ocd_lookup as lookup
where lookup.open_council_data_id is not null
union
select
  register.authority_code,
  cast(register.open_council_data_id as bigint) as open_council_data_id
from source.authority_register as register
where register.open_council_data_id is not null
