#!/usr/bin/env bash
# A browser for tests: Debian's chromium, unpacked into a folder. Prints the path of what starts it.
#
#   scripts/install_browser.sh [FOLDER]      default: .cache/browser of the checkout
#
# A chromium or chrome that is on the PATH is used as it is. Otherwise nothing is installed into the system and no root
# is needed: apt resolves the packages against private lists, and they are unpacked beside each other. Ends with
# status 2 and one line of reason where that cannot be done here.
set -euo pipefail

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="$(realpath -m "${1:-$checkout/.cache/browser}")"
start="$folder/chromium"
root="$folder/root"
apt="$folder/apt"

fail() {
  echo "browser: cannot be installed here: $1" >&2
  exit 2
}

if [[ -x "$start" ]]; then # written last: its presence says that the folder is complete
  echo "$start"
  exit 0
fi
mkdir -p "$folder"
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if found="$(command -v "$name")"; then
    ln -sf "$found" "$start"
    echo "$start"
    exit 0
  fi
done
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "no chromium on the PATH, and no apt to fetch one"

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$root"
private=(
  -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Acquire::Retries=2 -o Acquire::http::Timeout=20
  -o APT::Sandbox::User= -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
)
apt-get "${private[@]}" -qq -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1 ||
  fail "no package mirror is reachable ($(tail -n 1 "$apt/log"))"

# What apt would install, and does not: names and versions of all that is missing here.
mapfile -t packages < <(
  apt-get "${private[@]}" -s --no-install-recommends install chromium fonts-dejavu-core 2>"$apt/log" |
    sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1=\3/p'
)
((${#packages[@]} > 0)) || fail "apt finds no way to install chromium ($(tail -n 1 "$apt/log"))"
(cd "$apt/cache/archives" && apt-get "${private[@]}" -qq download "${packages[@]}") >"$apt/log" 2>&1 ||
  fail "the packages cannot be downloaded ($(tail -n 1 "$apt/log"))"
for package in "$apt/cache/archives"/*.deb; do
  dpkg -x "$package" "$root"
done

binary="$root/usr/lib/chromium/chromium"
[[ -x "$binary" ]] || fail "the package chromium holds no usr/lib/chromium/chromium"
shared="$(find "$root/usr/lib" -maxdepth 1 -name '*-linux-gnu*' -print -quit)"
libraries="$shared:$shared/pulseaudio" # the second is written into libpulse as an absolute path
unresolved="$(LD_LIBRARY_PATH="$libraries" ldd "$binary" | awk '/not found/ { print $1 }' | paste -sd ' ')"
[[ -z "$unresolved" ]] || fail "libraries of chromium are missing: $unresolved"

cat >"$folder/fonts.conf" <<XML
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$root/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>$folder/fonts</cachedir></fontconfig>
XML
rm -rf "$apt"
cat >"$start.part" <<SH
#!/bin/sh
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" FONTCONFIG_FILE="$folder/fonts.conf"
exec "$binary" "\$@"
SH
chmod +x "$start.part"
mv "$start.part" "$start"
echo "$start"
