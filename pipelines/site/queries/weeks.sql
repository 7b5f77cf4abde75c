-- one row per authority and week: the sum of its accounts that were read
select
    authority_code,
    week_on,
    sum(posts) as posts,
    sum(replies) as replies,
    sum(engagement) as engagement,
    sum(followers) as followers,
    count(*) as accounts,
    min(days_read) as days_read
from account_activity_weekly
group by authority_code, week_on
order by week_on
