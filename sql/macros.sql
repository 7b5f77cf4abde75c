-- Macros that every query may call; created for each connection, so the warehouse file stays free of them.

-- A name reduced to letters and digits, so that case, accents, hyphens, "&" and "and" agree.
create or replace temp macro name_key(name) as
  trim(regexp_replace(strip_accents(lower(replace(name, '&', ' and '))), '[^a-z0-9]+', '-', 'g'), '-');

-- Wilson score interval of a share at 95 %: E. B. Wilson, JASA 22 (1927) 209-212; z = 1.959964.
create or replace temp macro wilson_low(hits, n) as
  greatest(0.0, round(
    (hits / n + 3.841459 / (2 * n)
      - 1.959964 * sqrt(hits / n * (1 - hits / n) / n + 3.841459 / (4.0 * n * n)))
    / (1 + 3.841459 / n), 6));
create or replace temp macro wilson_high(hits, n) as
  least(1.0, round(
    (hits / n + 3.841459 / (2 * n)
      + 1.959964 * sqrt(hits / n * (1 - hits / n) / n + 3.841459 / (4.0 * n * n)))
    / (1 + 3.841459 / n), 6));
