#!/bin/sh
# Makes the database at the first start, then serves it. The superuser kubeop has the password in the mounted file.
set -eu
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
data=/data/postgresql
if [ ! -f "$data/PG_VERSION" ]; then
    # Into another folder first: a half-made one must never be taken for a whole one.
    rm -rf "$data.new"
    initdb --pgdata="$data.new" --username=kubeop --pwfile=/run/secrets/kubeop/password \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo "host all all all scram-sha-256" >> "$data.new/pg_hba.conf"
    mv "$data.new" "$data"
fi
chmod 700 "$data" # kubelet gives the volume's group more than PostgreSQL takes
exec postgres -D "$data" -c "listen_addresses=*" -c unix_socket_directories=/tmp -c max_connections=200
