#!/usr/bin/env bash
# Builds the wheel, installs it beside the dependencies of PYTHON's environment, and runs the smoke test on it.
#
#   scripts/wheel_smoke.sh PYTHON FOLDER
#
# FOLDER is emptied first. The second environment sees the first one's packages through a .pth file, so that nothing
# is installed twice; the wheel comes before them on the path, and the smoke test checks that it is the one in use.
set -euo pipefail

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" # not resolved: the link into an environment is what makes it one
folder="$(realpath -m "$2")"

rm -rf "$folder" "$checkout/build/lib" "$checkout"/build/bdist.*
mkdir -p "$folder/elsewhere"
"$python" -m build --wheel --outdir "$folder" "$checkout" >"$folder/build.log" 2>&1 || {
  cat "$folder/build.log"
  exit 1
}

# Every module of the checkout is in the wheel: a package that pyproject.toml does not list would be left out in silence.
expected="$(cd "$checkout" && find hetero -name '*.py' && find backends graphs -name '*.py' | sed 's,^,hetero/,')"
packed="$("$python" -m zipfile --list "$folder"/hetero-*.whl | awk '{ print $1 }')"
missing="$(comm -23 <(sort <<<"$expected") <(sort <<<"$packed"))"
[[ -z "$missing" ]] || {
  echo "not in the wheel: $(paste -sd ' ' <<<"$missing"); is its package listed in pyproject.toml?" >&2
  exit 1
}

"$python" -m venv --without-pip "$folder/venv"
smoke="$folder/venv/bin/python"
packages="$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
own="$("$smoke" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
"$python" -m pip install --disable-pip-version-check --quiet --no-deps --target "$own" "$folder"/hetero-*.whl
# Only the directory itself: site processes no .pth files of it, so the editable install of the checkout stays out.
echo "$packages" >"$own/dependencies.pth"

cp "$checkout/tests/test_smoke.py" "$folder/elsewhere/"
cd "$folder/elsewhere"
HETERO_CACHE="$folder/cache" HETERO_SMOKE_INSTALLED="$own" "$smoke" -m pytest -q -p no:cacheprovider test_smoke.py
