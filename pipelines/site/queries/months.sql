-- one row per authority, platform and kind of owner in each of the three newest months
with newest as (
    select distinct month_on
    from authority_engagement_monthly
    order by month_on desc
    limit 3
)

select month.*
from authority_engagement_monthly as month
join newest on newest.month_on = month.month_on
order by month.month_on desc, month.owner_kind, month.platform
