-- one row per authority and platform
select *
from coverage
order by platform
