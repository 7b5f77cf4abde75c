-- one row per authority with a roster: its seats, and the second opinion on them
with counted as (
  select
    seat.authority_code,
    count(*) as seats,
    count(*) filter (where seat.is_vacant) as vacant_seats,
    max(seat.snapshot_on) as as_of_on
  from model.council_seat as seat
  group by seat.authority_code
),

control as (
  select
    number.authority_code,
    max_by(control.seats, control.year) as seats,
    max(control.year) as year
  from clean.council_control as control
  join clean.council_number as number on number.open_council_data_id = control.open_council_data_id
  group by number.authority_code
)

select
  counted.authority_code,
  counted.seats,
  counted.vacant_seats,
  counted.as_of_on,
  control.seats as control_seats,
  control.year as control_year
from counted
left join control on control.authority_code = counted.authority_code
