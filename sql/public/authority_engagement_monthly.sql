-- one row per authority, month, platform and owner kind
-- rebuilt by month_on, authority_code
-- Only accounts of which the whole month was read. Rule D12 for councillors: nothing about fewer than ten
-- contributing accounts, and nothing of which two accounts make 90 % or more. What contributes is judged for each
-- figure by itself: accounts that were read, that wrote posts, replies or reposts, that got engagement. Rows are
-- there for every authority whose candidates were looked through, so that a row does not say that there are any.
with observed as (
  select
    counted.authority_code,
    counted.month_on,
    counted.platform,
    counted.owner_kind,
    counted.account_id,
    coalesce(posted.posts, 0) as posts,
    coalesce(posted.replies, 0) as replies,
    coalesce(posted.reposts, 0) as reposts,
    coalesce(posted.out_of_hours_posts, 0) as out_of_hours_posts,
    coalesce(posted.immature_posts, 0) as immature_posts,
    coalesce(posted.engaged_posts, 0) as engaged_posts,
    coalesce(posted.engagement, 0) as engagement
  from model.counted_month as counted
  left join model.account_month as posted
    on posted.platform = counted.platform
    and posted.account_id = counted.account_id
    and posted.authority_code = counted.authority_code
    and posted.owner_kind = counted.owner_kind
    and posted.month_on = counted.month_on
),

ranked as (
  select
    observed.authority_code,
    observed.month_on,
    observed.platform,
    observed.owner_kind,
    observed.posts,
    observed.replies,
    observed.reposts,
    observed.out_of_hours_posts,
    observed.immature_posts,
    observed.engaged_posts,
    observed.engagement,
    row_number() over (
      partition by observed.authority_code, observed.month_on, observed.platform, observed.owner_kind
      order by observed.posts desc, observed.account_id
    ) as by_posts,
    row_number() over (
      partition by observed.authority_code, observed.month_on, observed.platform, observed.owner_kind
      order by observed.replies desc, observed.account_id
    ) as by_replies,
    row_number() over (
      partition by observed.authority_code, observed.month_on, observed.platform, observed.owner_kind
      order by observed.reposts desc, observed.account_id
    ) as by_reposts,
    row_number() over (
      partition by observed.authority_code, observed.month_on, observed.platform, observed.owner_kind
      order by observed.engagement desc, observed.account_id
    ) as by_engagement
  from observed
),

measured as (
  select
    ranked.authority_code,
    ranked.month_on,
    ranked.platform,
    ranked.owner_kind,
    count(*) as accounts,
    count(*) filter (where ranked.posts > 0) as posting,
    count(*) filter (where ranked.replies > 0) as replying,
    count(*) filter (where ranked.reposts > 0) as reposting,
    count(*) filter (where ranked.engagement > 0) as engaging,
    cast(sum(ranked.posts) as bigint) as posts,
    cast(sum(ranked.replies) as bigint) as replies,
    cast(sum(ranked.reposts) as bigint) as reposts,
    cast(sum(ranked.out_of_hours_posts) as bigint) as out_of_hours_posts,
    cast(sum(ranked.immature_posts) as bigint) as immature_posts,
    cast(sum(ranked.engaged_posts) as bigint) as engaged_posts,
    cast(sum(ranked.engagement) as bigint) as engagement,
    cast(sum(ranked.posts) filter (where ranked.by_posts <= 2) as bigint) as top_posts,
    cast(sum(ranked.replies) filter (where ranked.by_replies <= 2) as bigint) as top_replies,
    cast(sum(ranked.reposts) filter (where ranked.by_reposts <= 2) as bigint) as top_reposts,
    cast(sum(ranked.engagement) filter (where ranked.by_engagement <= 2) as bigint) as top_engagement,
    cast(sum(ranked.posts * ranked.by_posts) as bigint) as weighted_posts,
    avg(cast(ranked.out_of_hours_posts as double) / nullif(ranked.posts, 0)) as mean_out_of_hours
  from ranked
  group by ranked.authority_code, ranked.month_on, ranked.platform, ranked.owner_kind
),

judged as (
  select
    measured.authority_code,
    measured.month_on,
    measured.platform,
    measured.owner_kind,
    measured.accounts,
    measured.posting,
    measured.posts,
    measured.replies,
    measured.reposts,
    measured.immature_posts,
    measured.engaged_posts,
    measured.engagement,
    cast(measured.out_of_hours_posts as double) / nullif(measured.posts, 0) as out_of_hours_share,
    measured.mean_out_of_hours,
    -- C. Gini (1912): G = sum((2 i - n - 1) x_i) / (n sum(x_i)), accounts without posts included. i counts up from
    -- the account with the fewest posts; by_posts counts down, so that i = n + 1 - by_posts.
    cast((measured.accounts + 1) * measured.posts - 2 * measured.weighted_posts as double)
      / nullif(measured.accounts * measured.posts, 0) as gini,
    withheld(measured.owner_kind, measured.accounts, 0, 1) as accounts_reason,
    withheld(measured.owner_kind, measured.posting, measured.top_posts, measured.posts) as posts_reason,
    withheld(measured.owner_kind, measured.replying, measured.top_replies, measured.replies) as replies_reason,
    withheld(measured.owner_kind, measured.reposting, measured.top_reposts, measured.reposts) as reposts_reason,
    withheld(measured.owner_kind, measured.engaging, measured.top_engagement, measured.engagement)
      as engagement_reason
  from measured
),

shown as (
  select
    judged.authority_code,
    judged.month_on,
    judged.platform,
    judged.owner_kind
  from judged
  where judged.owner_kind = 'council'
  union all
  select
    authority.authority_code,
    month.month_on,
    platform.platform,
    'councillor' as owner_kind
  from clean.authority as authority
  cross join model.platform as platform
  cross join model.month_shown as month
  where authority.valid_to is null
    and coalesce(authority.valid_from, month.month_on) <= month.month_on
    and platform.is_observed
    and platform.level <> 'never'
)

select
  shown.authority_code,
  shown.month_on,
  shown.platform,
  shown.owner_kind,
  case when judged.accounts_reason is null then judged.accounts end as accounts,
  case when judged.posts_reason is null then judged.posting end as active_accounts,
  case when judged.posts_reason is null then judged.posts end as posts,
  case when judged.replies_reason is null then judged.replies end as replies,
  case when judged.reposts_reason is null then judged.reposts end as reposts,
  case
    when judged.engagement_reason is null and judged.engaged_posts > 0 then judged.engagement
  end as engagement,
  case when judged.engagement_reason is null then round(spread.engagement_median, 2) end as engagement_median,
  case when judged.engagement_reason is null then round(spread.engagement_p90, 2) end as engagement_p90,
  case when judged.posts_reason is null then judged.immature_posts = 0 end as is_mature,
  case when judged.posts_reason is null then round(judged.gini, 6) end as gini,
  case when judged.posts_reason is null then round(judged.out_of_hours_share, 4) end as out_of_hours_share,
  case
    when judged.posts_reason is null then round_sum(judged.mean_out_of_hours, 4)
  end as out_of_hours_share_by_account,
  coalesce(judged.posts_reason, withheld(shown.owner_kind, coalesce(judged.accounts, 0), 0, 1)) as withheld_reason,
  coalesce(judged.replies_reason, withheld(shown.owner_kind, coalesce(judged.accounts, 0), 0, 1))
    as replies_withheld_reason,
  coalesce(judged.reposts_reason, withheld(shown.owner_kind, coalesce(judged.accounts, 0), 0, 1))
    as reposts_withheld_reason,
  coalesce(judged.engagement_reason, withheld(shown.owner_kind, coalesce(judged.accounts, 0), 0, 1))
    as engagement_withheld_reason
from shown
left join judged
  on judged.authority_code = shown.authority_code
  and judged.month_on = shown.month_on
  and judged.platform = shown.platform
  and judged.owner_kind = shown.owner_kind
left join model.authority_month_engagement as spread
  on spread.authority_code = shown.authority_code
  and spread.month_on = shown.month_on
  and spread.platform = shown.platform
  and spread.owner_kind = shown.owner_kind
