-- one row per local authority of the United Kingdom, current or abolished
-- DuckDB only: string aggregates and unnest.
with successor as (
  select
    succession.authority_code,
    string_agg(succession.successor_code, ' ' order by succession.successor_code)
      filter (where succession.steps = 1) as successor_codes,
    string_agg(succession.successor_code, ' ' order by succession.successor_code)
      filter (where succession.is_final) as final_successor_codes
  from model.authority_succession as succession
  group by succession.authority_code
),

recoded as (
  select
    changes.authority_code,
    max_by(changes.gss_code, changes.changed_on) as gss_code
  from clean.gss_change as changes
  group by changes.authority_code
),

former as (
  select
    code.authority_code,
    string_agg(code.gss_code, ' ' order by code.gss_code) as former_gss_codes
  from clean.authority_gss as code
  join clean.authority as authority on authority.authority_code = code.authority_code
  left join recoded on recoded.authority_code = code.authority_code
  where code.gss_code <> coalesce(recoded.gss_code, authority.gss_code)
  group by code.authority_code
)

select
  authority.authority_code,
  coalesce(recoded.gss_code, authority.gss_code) as gss_code,
  authority.official_name,
  authority.nice_name,
  authority.nation,
  authority.region,
  authority.authority_type,
  authority.valid_from,
  authority.valid_to,
  successor.successor_codes,
  successor.final_successor_codes,
  former.former_gss_codes,
  authority.county_code,
  authority.combined_authority_code,
  case when authority.valid_to is null then seats.seats end as seats,
  case when authority.valid_to is null then seats.vacant_seats end as vacant_seats,
  case when authority.valid_to is null then seats.as_of_on end as seats_as_of_on,
  system.meeting_system
from clean.authority as authority
left join successor on successor.authority_code = authority.authority_code
left join recoded on recoded.authority_code = authority.authority_code
left join former on former.authority_code = authority.authority_code
left join model.authority_seats as seats on seats.authority_code = authority.authority_code
left join clean.meeting_system as system on system.authority_code = authority.authority_code
