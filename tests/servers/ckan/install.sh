#!/usr/bin/env bash
# install.sh DIR: put CKAN, the data portal for tests, with its Python packages under DIR, once.
# A machine without PostgreSQL or Redis gets them from its distribution, for which this must run as root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:?usage: install.sh DIR}"
dir=$(cd "$1" && pwd)

lacking=()
[ -n "$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb')" ] || lacking+=(postgresql)
command -v redis-server >/dev/null || lacking+=(redis-server)
ldconfig -p | grep -q 'libmagic\.so\.1' || lacking+=(libmagic1)
if [ ${#lacking[@]} -gt 0 ]; then
  echo "installing ${lacking[*]}"
  apt-get update -qq
  # Without its start scripts: the tests start their own servers and no other.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}" >/dev/null
fi

# What was installed is named by what it was made from: a changed lock file installs anew.
made_from=$(cat "$here"/{requirements.lock,install.sh} | sha256sum)
[ "$(cat "$dir/made-from" 2>/dev/null)" != "$made_from" ] || exit 0

rm -rf "$dir/made-from" "$dir/python"
echo "installing CKAN into $dir"
"${PYTHON:-python3}" -m venv "$dir/python"
"$dir/python/bin/pip" install --quiet --progress-bar off --disable-pip-version-check --require-hashes \
  --requirement "$here/requirements.lock"
echo "$made_from" >"$dir/made-from"
