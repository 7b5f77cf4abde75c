#!/usr/bin/env bash
# install.sh DIR: put what the tests in a browser need under DIR, once: the pinned npm packages, and Node where the
# machine has no npm. A machine without Chromium gets it from its distribution, for which this must run as root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
parts=$(cd "$here/../../pipelines/site/browser" && pwd)
node_lock=$(cd "$here/../servers/bluesky" && pwd)/requirements.lock  # the wheel that carries Node, with its hash
mkdir -p "${1:?usage: install.sh DIR}"
dir=$(cd "$1" && pwd)

if ! command -v chromium >/dev/null && [ -z "${CHROMIUM:-}" ]; then
  echo "installing chromium"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi

# What was installed is named by what it was made from: a changed pin installs anew.
made_from=$(cat "$parts"/package{,-lock}.json "$node_lock" "$here/install.sh" | sha256sum)
[ "$(cat "$dir/made-from" 2>/dev/null)" != "$made_from" ] || exit 0

rm -rf "$dir/made-from" "$dir/python" "$dir/node_modules"
if ! command -v npm >/dev/null; then
  echo "installing Node into $dir"
  "${PYTHON:-python3}" -m venv "$dir/python"
  "$dir/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$node_lock"
  export PATH="$dir/python/bin:$PATH"
fi
echo "installing the npm packages into $dir"
cp "$parts"/package{,-lock}.json "$dir"
cd "$dir"
# No package's own install script is run.
npm_config_update_notifier=false npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1 ||
  { tail -n 40 npm.log >&2; exit 1; }
echo "$made_from" >"$dir/made-from"
