-- one row per month of which any account counts
select distinct counted.month_on
from model.counted_month as counted
