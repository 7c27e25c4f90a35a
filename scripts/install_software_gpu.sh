#!/usr/bin/env bash
# A GPU for tests, without one: Mesa's software Vulkan driver (llvmpipe) for Debian 12, unpacked into a folder.
#
#   scripts/install_software_gpu.sh [FOLDER]      default: .cache/software-gpu of the checkout
#   source FOLDER/env.sh                          then gpu0/webgpu is available
#
# Debian 12's own Mesa (22.3) is too old for the WebGPU provider; the one in bookworm-backports works. Nothing is
# installed into the system and no root is needed: apt resolves the packages against private lists, and they are
# unpacked beside each other. Ends with status 2 and one line of reason where that cannot be done here.
set -euo pipefail

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="$(realpath -m "${1:-$checkout/.cache/software-gpu}")"
root="$folder/root"
apt="$folder/apt"

fail() {
  echo "software GPU: cannot be installed here: $1" >&2
  exit 2
}

print_environment() {
  echo "# source this file, or export these lines:"
  cat "$folder/env.sh"
}

if [[ -f "$folder/env.sh" ]]; then # env.sh is written last: its presence says that the folder is complete
  print_environment
  exit 0
fi

# shellcheck source=/dev/null
codename="$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_CODENAME:-}")" || codename=""
[[ "$codename" == "debian bookworm" ]] || fail "it is made for Debian 12 (bookworm), found '${codename:-no /etc/os-release}'"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "apt-get and dpkg are needed"
machine="$(dpkg --print-architecture)"

# The mirror that this machine's apt is configured with.
mirror="$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')"
[[ -n "$mirror" ]] || fail "apt has no source for 'bookworm main'"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -f "$keyring" ]] && key=" signed-by=$keyring" || key="" # without it apt takes the keys it trusts anyway

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$root"
for suite in bookworm bookworm-backports; do
  echo "deb [arch=$machine$key] $mirror $suite main"
done >"$apt/sources.list"

private=(
  -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
  -o "Dir::Cache=$apt/cache" -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=
  -o Debug::NoLocking=1 -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
)
apt-get "${private[@]}" -qq -o APT::Update::Error-Mode=any update >"$apt/log" 2>&1 ||
  fail "no Debian mirror with bookworm-backports is reachable ($(tail -n 1 "$apt/log"))"

# What apt would install, and does not: names and versions of all that is missing here.
mapfile -t packages < <(
  apt-get "${private[@]}" -s --no-install-recommends -t bookworm-backports install mesa-vulkan-drivers libvulkan1 \
    2>"$apt/log" | sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1=\3/p'
)
if ((${#packages[@]} == 0)); then
  fail "apt finds no way to install mesa-vulkan-drivers ($(tail -n 1 "$apt/log"))"
fi
(cd "$apt/cache/archives" && apt-get "${private[@]}" -qq download "${packages[@]}") >"$apt/log" 2>&1 ||
  fail "the packages cannot be downloaded ($(tail -n 1 "$apt/log"))"
for package in "$apt/cache/archives"/*.deb; do
  dpkg -x "$package" "$root"
done

driver="$(find "$root" -name 'libvulkan_lvp.so' -print -quit)"
[[ -n "$driver" ]] || fail "mesa-vulkan-drivers holds no llvmpipe driver for $machine"
libraries="$(dirname "$driver")"
unresolved="$(LD_LIBRARY_PATH="$libraries" ldd "$driver" | awk '/not found/ { print $1 }' | paste -sd ' ')"
[[ -z "$unresolved" ]] || fail "libraries of the driver are missing: $unresolved"

cat >"$folder/lvp_icd.json" <<JSON
{"file_format_version": "1.0.0", "ICD": {"api_version": "1.4.305", "library_path": "$driver"}}
JSON
rm -rf "$apt"
cat >"$folder/env.sh.part" <<ENV
export VK_ICD_FILENAMES="$folder/lvp_icd.json"
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1
ENV
mv "$folder/env.sh.part" "$folder/env.sh"
print_environment
