-- one row per council and year of a count of its seats
select
  control.open_council_data_id,
  control.year,
  control.seats,
  control.snapshot_on
from source.council_control as control
