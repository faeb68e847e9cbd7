#!/bin/sh
# Makes the login of Grafana, or gives it the password of now. psql hashes the password before it sends it, so that no
# statement and no log holds it; without a terminal it reads it from standard input, twice.
set -eu
: "${PGSCORE_GRAFANA_USER:=grafana}" "${PGSCORE_GRAFANA_PASSWORD:?}"
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set login="$PGSCORE_GRAFANA_USER" <<'SQL'
select format('create role %I login', :'login') where not exists (select from pg_roles where rolname = :'login') \gexec
grant pgscore_analyst to :"login";
SQL
printf '%s\n%s\n' "$PGSCORE_GRAFANA_PASSWORD" "$PGSCORE_GRAFANA_PASSWORD" |
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --command "\\password \"$PGSCORE_GRAFANA_USER\"" >/dev/null
