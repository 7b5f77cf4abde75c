-- one row per area that figures are given for, and cell of nation, region and type of authority that it is made of
-- Outside England a region is the nation again and is left out.
with cell as (
  select distinct
    authority.nation,
    coalesce(authority.region, '') as region,
    authority.authority_type
  from clean.authority as authority
  where authority.valid_to is null
)

select 'country' as area_kind, 'United Kingdom' as area, cell.nation, cell.region, cell.authority_type
from cell
union all
select 'nation' as area_kind, cell.nation as area, cell.nation, cell.region, cell.authority_type
from cell
union all
select 'region' as area_kind, cell.region as area, cell.nation, cell.region, cell.authority_type
from cell
where cell.nation = 'England' and cell.region <> ''
union all
select 'authority_type' as area_kind, cell.authority_type as area, cell.nation, cell.region, cell.authority_type
from cell
