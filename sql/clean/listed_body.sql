-- one row per body in the newest snapshot of the register of bodies, with or without an account
select
  lands.gss_code
from source.digital_land_authorities as lands
where lands.gss_code is not null
  and lands.snapshot_on = (select max(newest.snapshot_on) from source.digital_land_authorities as newest)
group by lands.gss_code
