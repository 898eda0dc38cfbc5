#!/usr/bin/env bash
# The Debian package: made, installed, used, installed over itself, removed and purged on this machine. Nothing of it remains
# then but what its user made with it.
#
#   tests/full/deb.sh [PACKAGE]     the package that packaging/deb makes now, if none is given
#
# Needs root, Debian, man-db, and for its completions bash, zsh and fish.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
step() { printf '== %s\n' "$*"; }
[ "$(id -u)" = 0 ] || fail "run it as root: it installs a package"
for program in man zsh fish systemd-analyze fusermount3; do
    command -v "$program" >/dev/null || fail "$program is missing: apt-get install man-db zsh fish systemd fuse3"
done
! dpkg -s waxseal >/dev/null 2>&1 || fail "a package waxseal is installed here already"
[ ! -e /usr/bin/waxseal ] || fail "/usr/bin/waxseal is there already"

if [ $# -eq 0 ]; then
    step "the package is made"
    packaging/deb
    set -- target/debian/waxseal_*.deb
fi
[ $# = 1 ] && [ -f "$1" ] || fail "one package is expected, not: $*"
package=$(realpath "$1")

scratch=$(mktemp -d)
finish() {
    umount -l "$scratch/clear" 2>/dev/null || true
    dpkg -P waxseal >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap finish EXIT
mkdir "$scratch"/{home,vault,clear}
# As a user has it: nothing but a home, and what the system has on its path.
user() { env -i HOME="$scratch/home" PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 "$@"; }
cd "$scratch/home"

step "what it says of itself"
dpkg-deb --info "$package" | grep -E '^ (Package|Version|Architecture|Depends|Recommends|Installed-Size|Maintainer)'
dpkg-deb --contents "$package" | awk '{ print $6 }' | sed 's/^\.//' | grep -v '/$' >"$scratch/files"
# What is in the way already is not the package's.
while read -r file; do [ ! -e "$file" ] || fail "$file is there already"; done <"$scratch/files"
dpkg-deb --contents "$package" | awk '$1 !~ /^-rw-r--r--$/ && $1 !~ /^-rwxr-xr-x$/ && $1 !~ /^drwxr-xr-x$/ || $2 !~ /^(root\/root|0\/0)$/' >"$scratch/odd"
[ ! -s "$scratch/odd" ] || { cat "$scratch/odd"; fail "modes or owners are odd"; }

step "installed"
dpkg -i "$package" >/dev/null
user waxseal --version
user waxseal --version | grep -Eq '^commit +[0-9a-f]{40}' || echo "(this program does not say which commit it is of)"

step "a file, a tree and a mount"
echo "Dear Anna" >letter.txt
user waxseal encrypt -q letter.txt
user waxseal decrypt -q letter.txt.wax -o - | cmp - letter.txt
user waxseal encrypt -q -r "$scratch/home" -o "$scratch/vault/home" --exclude .local
user waxseal mount "$scratch/vault" "$scratch/clear"
cmp letter.txt "$scratch/clear/home/letter.txt"
user waxseal umount "$scratch/clear"

step "manual pages, completions, units"
for page in waxseal waxseal-encrypt waxseal-kms-backup; do
    user man -w "$page" >/dev/null
    user env MANWIDTH=80 man "$page" | grep -q '^NAME' || fail "no page $page"
done
user bash --norc -c '. /usr/share/bash-completion/completions/waxseal; complete -p waxseal' >/dev/null
user zsh -fc 'autoload -Uz compinit; compinit -D -u; [[ $_comps[waxseal] = _waxseal ]]' || fail "zsh does not complete"
user fish -c 'complete -C "waxseal encr"' | grep -q '^encrypt' || fail "fish does not complete"
mkdir "$scratch/units"
for unit in 'waxseal@.service' 'waxseal-backup@.service' 'waxseal-backup@.timer'; do
    cp "/usr/lib/systemd/system/$unit" "$scratch/units/${unit/@./@documents.}"
    said=$(systemd-analyze verify --man=no "$scratch/units/${unit/@./@documents.}" 2>&1)
    [ -z "$said" ] || fail "systemd says about $unit: $said"
done

step "installed over itself, removed, purged"
dpkg -i "$package" >/dev/null
dpkg -r waxseal >/dev/null
dpkg -P waxseal >/dev/null 2>&1
while read -r file; do [ ! -e "$file" ] || fail "$file is left"; done <"$scratch/files"
left=$(find /etc /usr /var /opt /srv -xdev -newer "$scratch/files" -name '*waxseal*' 2>/dev/null | grep -v '^/var/cache/man' || true)
[ -z "$left" ] || fail "left behind: $left"
! dpkg -s waxseal >/dev/null 2>&1 || fail "dpkg still knows it"

step "what its user made is still there"
[ -f .local/share/waxseal/kms/kms.db ] && [ -f letter.txt.wax ] && [ -f "$scratch/vault/home/letter.txt.wax" ] || fail "something is gone"
echo "all of the package is gone, and nothing else"
