#!/bin/sh
# One database per name in $DATABASES, each with a role of its own that can't enter the others. Runs at every start:
# what exists stays, and a password follows its file.
set -eu
PGPASSWORD=$(cat /secrets/postgres-password)
export PGPASSWORD

run() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host postgres --username postgres --dbname postgres "$@"; }

for name in $DATABASES; do
  export PASSWORD_FILE="/secrets/$name-database-password"
  run --set name="$name" <<'SQL'
\set password `cat "$PASSWORD_FILE"`
SELECT format('CREATE ROLE %I LOGIN', :'name')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE :"name" FROM PUBLIC;
SQL
done
run --command 'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC'
echo "databases are as they should be: $DATABASES"
