#!/usr/bin/env bash
# build.sh PARTS [FILE]: bundle the look-up with its npm parts, which lie under PARTS, into one script.
# The same pins give the same bytes; the result is committed, so that a site is made on machines without npm too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
parts=$(cd "${1:?usage: build.sh PARTS [FILE]}" && pwd)
file=${2:-$here/../assets/lookup.js}
banner='/* Look-up in Parquet files. Built by `make site-scripts` from pipelines/site/browser; do not edit.
 * Project: MIT licence. Contains hyparquet (MIT, Hyperparam) and fzstd (MIT, Copyright (c) 2020 Arjun Barrett).
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
 * documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
 * rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
 * permit persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright
 * notice and this permission notice shall be included in all copies or substantial portions of the Software.
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED. */'
export PATH="$PATH:$parts/python/bin"  # where install.sh puts Node on a machine without it
NODE_PATH="$parts/node_modules" "$parts/node_modules/.bin/esbuild" "$here/lookup.js" --bundle --minify \
  --format=iife --target=es2022 --charset=utf8 --legal-comments=none --log-level=warning --banner:js="$banner" \
  --outfile="$file" --allow-overwrite
