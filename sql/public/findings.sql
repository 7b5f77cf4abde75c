-- one row per claim of the research, measure, source of evidence, area and group
-- Interviews and accounts stand side by side and are never joined per person.
with interviews as (
  select
    speaks.claim_id,
    'mentions: ' || theme.theme as measure,
    theme.study_id as evidence,
    'study' as area_kind,
    'all of the study' as area,
    theme.role_group as subject_group,
    round(cast(theme.share_percent as double) / 100, 2) as value,
    cast(null as double) as value_low,
    cast(null as double) as value_high,
    'share' as unit,
    theme.base,
    case
      when theme.share_percent is not null then 'purposive interviews: no interval to a population'
    end as no_interval_reason,
    theme.withheld_reason,
    'share of interviews that mention the theme, from counts rounded to five' as method,
    'interview_themes' as datasets,
    speaks.cannot_say,
    theme.is_synthetic
  from public.interview_themes as theme
  join model.claim_theme as speaks on speaks.theme_id = theme.theme_id
),

distribution as (
  select
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.band,
    spread.accounts,
    spread.share,
    spread.share_low,
    spread.share_high,
    spread.gini,
    spread.gini_low,
    spread.gini_high,
    spread.agreement,
    spread.agreement_low,
    spread.agreement_high,
    spread.dip_p_value,
    spread.out_of_hours_share_by_account,
    spread.withheld_reason,
    spread.gini_reason,
    spread.dip_reason,
    spread.interval_reason,
    spread.hours_reason
  from public.activity_distribution as spread
  where spread.area_kind = 'region' or (spread.area_kind = 'nation' and spread.area = 'England')
),

accounts as (
  select
    speaks.claim_id,
    'accounts in the ' || spread.band || ' band' as measure,
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.share as value,
    spread.share_low as value_low,
    spread.share_high as value_high,
    'share' as unit,
    spread.accounts as base,
    spread.interval_reason as no_interval_reason,
    spread.withheld_reason,
    'share of accounts by their rate of posting; councils drawn with replacement' as method,
    'activity_distribution' as datasets,
    speaks.cannot_say
  from distribution as spread
  join (
    values
      ('no_middle_ground', 'zero', 'Accounts that nobody found are in no band, and most of them may be silent.'),
      ('no_middle_ground', 'middle', 'Accounts that nobody found are in no band, and most of them may be silent.'),
      ('no_middle_ground', 'heavy', 'A lot of posts is not the same as a lot of conversation.'),
      ('some_do_not_use_it', 'zero', 'An account that posts nothing may still be read from; one that nobody found is missing.')
  ) as speaks (claim_id, band, cannot_say) on speaks.band = spread.band
  where spread.owner_kind = 'councillor'
  union all
  select
    'no_middle_ground' as claim_id,
    'Gini of posts' as measure,
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.gini as value,
    spread.gini_low as value_low,
    spread.gini_high as value_high,
    'coefficient' as unit,
    spread.accounts as base,
    case when spread.gini_low is null then spread.interval_reason end as no_interval_reason,
    coalesce(spread.withheld_reason, spread.gini_reason) as withheld_reason,
    'Gini coefficient of posts over accounts; councils drawn with replacement' as method,
    'activity_distribution' as datasets,
    'Inequality is high wherever many post nothing; it does not see two camps.' as cannot_say
  from distribution as spread
  where spread.owner_kind = 'councillor' and spread.band = 'zero'
  union all
  select
    'no_middle_ground' as claim_id,
    'agreement A' as measure,
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.agreement as value,
    spread.agreement_low as value_low,
    spread.agreement_high as value_high,
    'coefficient' as unit,
    spread.accounts as base,
    case when spread.agreement_low is null then spread.interval_reason end as no_interval_reason,
    spread.withheld_reason,
    'van der Eijk''s A on five bands of activity: 1 all alike, -1 half at each end' as method,
    'activity_distribution' as datasets,
    'It depends on where the borders of the bands are.' as cannot_say
  from distribution as spread
  where spread.owner_kind = 'councillor' and spread.band = 'zero'
  union all
  select
    'no_middle_ground' as claim_id,
    'p value of the dip' as measure,
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.dip_p_value as value,
    cast(null as double) as value_low,
    cast(null as double) as value_high,
    'probability' as unit,
    spread.accounts as base,
    case when spread.dip_p_value is not null then 'a p value has no interval' end as no_interval_reason,
    coalesce(spread.withheld_reason, spread.dip_reason) as withheld_reason,
    'Hartigan''s dip on jittered logarithms of counts' as method,
    'activity_distribution' as datasets,
    'A small p says that there is more than one peak, not how many or why.' as cannot_say
  from distribution as spread
  where spread.owner_kind = 'councillor' and spread.band = 'zero'
  union all
  select
    speaks.claim_id,
    'posts outside office hours' as measure,
    spread.area_kind,
    spread.area,
    spread.owner_kind,
    spread.out_of_hours_share_by_account as value,
    cast(null as double) as value_low,
    cast(null as double) as value_high,
    'share' as unit,
    spread.accounts as base,
    case
      when spread.out_of_hours_share_by_account is not null then 'no interval is computed for hours of the week'
    end as no_interval_reason,
    coalesce(spread.withheld_reason, spread.hours_reason) as withheld_reason,
    'share of posts outside Monday to Friday 09 to 17 in London, accounts weighted equally; 0.762 if even' as method,
    'activity_distribution, hourly_profile' as datasets,
    speaks.cannot_say
  from distribution as spread
  cross join (
    values
      ('always_on', 'When something was posted does not say when it was written: posts can be scheduled.'),
      ('councillors_differ_from_officers',
       'Accounts of councils are run by officers, but an account is not a person and hours are not a voice.')
  ) as speaks (claim_id, cannot_say)
  where spread.band = 'zero'
  union all
  select
    'quicker_than_a_leaflet' as claim_id,
    'median hours to an answer' as measure,
    reply.area_kind,
    reply.area,
    'council' as owner_kind,
    reply.median_hours as value,
    reply.median_hours_low as value_low,
    reply.median_hours_high as value_high,
    'hours' as unit,
    reply.replies as base,
    case
      when reply.median_hours is not null and reply.median_hours_high is null
        then 'the upper limit is not reached within the time observed'
    end as no_interval_reason,
    case when reply.median_hours is null then reply.withheld_reason end as withheld_reason,
    'Kaplan and Meier''s median, replies without an answer as censored' as method,
    'reply_latency' as datasets,
    'It is about councils'' accounts and public replies; many replies want no answer.' as cannot_say
  from public.reply_latency as reply
  where reply.area_kind = 'region' or (reply.area_kind = 'nation' and reply.area = 'England')
  union all
  select
    'abuse_and_impatience' as claim_id,
    'replies that were answered' as measure,
    reply.area_kind,
    reply.area,
    'council' as owner_kind,
    reply.answered_share as value,
    cast(null as double) as value_low,
    cast(null as double) as value_high,
    'share' as unit,
    reply.replies as base,
    case
      when reply.answered_share is not null then 'a lower bound: later answers are not seen'
    end as no_interval_reason,
    case when reply.answered_share is null then reply.withheld_reason end as withheld_reason,
    'replies answered within the time observed, of all replies to councils' as method,
    'reply_latency' as datasets,
    'How many wait says nothing about how patient they are, and no reply is read for abuse.' as cannot_say
  from public.reply_latency as reply
  where reply.area_kind = 'region' or (reply.area_kind = 'nation' and reply.area = 'England')
)

select
  claim.claim_id,
  claim.claim,
  found.measure,
  found.evidence,
  found.area_kind,
  found.area,
  found.subject_group,
  found.value,
  found.value_low,
  found.value_high,
  found.unit,
  found.base,
  case when found.value is not null then found.no_interval_reason end as no_interval_reason,
  case when found.value is null then coalesce(found.withheld_reason, 'not measured') end as withheld_reason,
  found.method,
  found.datasets,
  found.cannot_say,
  found.is_synthetic
from interviews as found
join model.claim as claim on claim.claim_id = found.claim_id
union all
select
  claim.claim_id,
  claim.claim,
  found.measure,
  'accounts' as evidence,
  found.area_kind,
  found.area,
  found.owner_kind as subject_group,
  found.value,
  found.value_low,
  found.value_high,
  found.unit,
  found.base,
  case when found.value is not null then found.no_interval_reason end as no_interval_reason,
  case when found.value is null then coalesce(found.withheld_reason, 'not measured') end as withheld_reason,
  found.method,
  found.datasets,
  found.cannot_say,
  cast(null as boolean) as is_synthetic
from accounts as found
join model.claim as claim on claim.claim_id = found.claim_id
