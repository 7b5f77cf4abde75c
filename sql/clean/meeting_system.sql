-- one row per council known to the councillor scrapers
select
  councils.authority_code,
  max_by(councils.meeting_system, coalesce(councils.start_date, date '1000-01-01')) as meeting_system
from source.lgsf_councils as councils
group by councils.authority_code
