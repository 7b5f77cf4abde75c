-- one row per seat in the newest roster of each authority
-- DuckDB only: compares names through keys made in Python.
with resolved as (
  select
    seat.snapshot_on,
    seat.source_row,
    seat.council_key,
    min(name.authority_code) as authority_code,
    count(distinct name.authority_code) as authorities
  from clean.councillor_seat as seat
  join model.authority_name as name
    on name.name_key = seat.council_key
    and seat.snapshot_on between name.valid_from and name.valid_to
  group by seat.snapshot_on, seat.source_row, seat.council_key
),

newest as (
  select
    resolved.authority_code,
    max(resolved.snapshot_on) as snapshot_on
  from resolved
  where resolved.authorities = 1
  group by resolved.authority_code
)

select
  resolved.authority_code,
  seat.snapshot_on,
  seat.source_row,
  seat.ward_key,
  seat.councillor_name,
  seat.surname_key,
  seat.is_vacant
from newest
join resolved
  on resolved.authority_code = newest.authority_code
  and resolved.snapshot_on = newest.snapshot_on
  and resolved.authorities = 1
join clean.councillor_seat as seat
  on seat.snapshot_on = resolved.snapshot_on
  and seat.source_row = resolved.source_row
  and seat.council_key = resolved.council_key
