-- one row per authority that exists and whose accounts were read in the twelve newest complete weeks
with weeks as (
    select week_on
    from account_activity_weekly
    group by week_on
    having max(days_read) = 7
    order by week_on desc
    limit 12
),
newest as (
    select
        week.authority_code,
        week.platform,
        week.account_id,
        max_by(week.followers, week.week_on) as followers
    from account_activity_weekly as week
    join weeks on weeks.week_on = week.week_on
    where week.followers is not null
    group by week.authority_code, week.platform, week.account_id
),
reached as (
    select authority_code, sum(followers) as followers
    from newest
    group by authority_code
),
did as (
    select
        week.authority_code,
        sum(week.posts) / count(distinct week.week_on) as posts_a_week,
        sum(week.replies) / nullif(sum(week.posts), 0) as reply_share,
        -- only of weeks whose posts no longer gain engagement
        sum(week.engagement) filter (where week.is_mature)
            / nullif(sum(week.posts) filter (where week.is_mature), 0) as engagement_a_post
    from account_activity_weekly as week
    join weeks on weeks.week_on = week.week_on
    group by week.authority_code
)

select
    did.*,
    reached.followers,
    authority.authority_type,
    authority.region
from did
join authorities as authority on authority.authority_code = did.authority_code
left join reached on reached.authority_code = did.authority_code
where authority.valid_to is null
order by did.authority_code
