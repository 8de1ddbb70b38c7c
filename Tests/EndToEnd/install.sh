#!/bin/sh
# Installs what the end-to-end tests need: Debian packages (PostgreSQL, drivers of other languages) and a Python
# environment in .venv at the root of the repository. Does nothing, quickly, when everything is there already.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)

packages="
    postgresql-15 postgresql-client-15
    python3 python3-venv
    default-jdk-headless libpostgresql-jdbc-java
    libdbd-pg-perl
    php-cli php-pgsql
    golang-go golang-github-lib-pq-dev
"

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "install.sh: these Debian packages are missing; run as root or install them:$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# node-pg needs Debian's own nodejs only for its native binding, which the tests do not use. On a machine whose
# nodejs comes from elsewhere the package cannot be installed, so it is unpacked beside the Python environment.
venv="$root/.venv"
node_modules="$venv/node/usr/share/nodejs"
if ! [ -d /usr/share/nodejs/pg ] && ! [ -d "$node_modules/pg" ]; then
    export DEBIAN_FRONTEND=noninteractive
    if ! { [ "$(id -u)" -eq 0 ] \
        && apt-get install -y -qq --no-install-recommends nodejs node-pg >/dev/null 2>&1; }; then
        command -v node >/dev/null || { echo "install.sh: nodejs is missing and cannot be installed" >&2; exit 1; }
        download=$(mktemp -d)
        chmod 755 "$download"
        mkdir -p "$venv/node"
        modules=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
            --no-replaces --no-enhances node-pg | grep -E '^node-' | grep -vx node-libpq | sort -u)
        # shellcheck disable=SC2086 # a list of words
        (cd "$download" && apt-get download -qq $modules 2>/dev/null)
        for archive in "$download"/*.deb; do
            dpkg-deb -x "$archive" "$venv/node"
        done
        rm -rf "$download"
    fi
fi

stamp="$venv/.requirements"
if ! cmp -s "$here/requirements.txt" "$stamp"; then
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
fi

echo "install.sh: ready; run $venv/bin/pytest $here"
