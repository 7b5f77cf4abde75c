-- one row per local authority, current or abolished
select
  register.authority_code,
  register.official_name,
  register.nice_name,
  register.gss_code,
  register.start_date as valid_from,
  -- For the reorganisations of 2021 and 2023 the register gives the first day of the successor (1 April) as the
  -- end; the body's last day was the day before.
  case
    when date_part('month', register.end_date) = 4 and date_part('day', register.end_date) = 1
      then cast(register.end_date - interval 1 day as date)
    else register.end_date
  end as valid_to,
  register.replaced_by,
  register.nation,
  -- The combined authorities that the register has not placed in a region stay without one.
  register.region,
  register.authority_type,
  register.county_code,
  register.combined_authority_code,
  register.former_gss_codes,
  register.snapshot_on
from source.authority_register as register
