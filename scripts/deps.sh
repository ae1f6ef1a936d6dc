#!/bin/sh
# Installs what the tests need beside Go modules: PostgreSQL's server binaries, which the tests start themselves. It says
# what it does, and does nothing where they are there.
set -eu

if command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: no PostgreSQL server found, and no apt-get to install one: tests against it will be skipped" >&2
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: no PostgreSQL server found; run 'sudo apt-get install postgresql' to test against it" >&2
	exit 0
fi
echo "deps: installing the Debian package postgresql (its server binaries; no cluster is made)"
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >/dev/null
