#!/bin/sh
# Installs phoenix-proxy from an unpacked release archive as a systemd service, or takes it away again.
#
#   /opt/phoenix-proxy/releases/VERSION   what runs; `current` names the one in use, the one before is kept
#   /opt/phoenix-proxy/bin/proxy          the command, also as /usr/local/bin/proxy
#   /etc/phoenix-proxy                    configuration: never overwritten, never removed
#
# Running it again is safe.
set -eu

PREFIX=/opt/phoenix-proxy
ETC=/etc/phoenix-proxy
UNITS=/etc/systemd/system
RUNTIME_UNITS=/run/systemd/system
ACCOUNT=phoenix-proxy
KEPT=$PREFIX/take-over
# How long Traefik may go on with what is under way when it is stopped. Its ports are closed meanwhile.
TRAEFIK_GRACE_MS=300
# How long the proxy may take until it serves: in the trial, while Traefik serves; in its place, before Traefik is brought back.
TRIAL_WITHIN_S=60
READY_WITHIN_S=15

usage() {
  cat <<'USAGE'
install.sh [--socket-activation] [--no-start]
                  installs or upgrades, and starts. With --socket-activation systemd holds the
                  listening sockets: a restart or a crash refuses no connection
install.sh --take-over [UNIT] [--force]
                  installs, and takes the place of a running Traefik (unit traefik.service unless
                  named): same files, same ports, and `systemctl … traefik` goes on working.
                  With --force also where `proxy check` finds errors in the files
install.sh --give-back
                  undoes --take-over: Traefik runs again, with its files as they were
install.sh --uninstall
                  removes the service and the program; configuration, state and logs stay
USAGE
}

say() { printf '%s\n' "install.sh: $*"; }
die() { printf '%s\n' "install.sh: $*" >&2; exit 1; }
now_ms() { date +%s%3N; }

main() {
  action=install; sockets=no; new_sockets=no; start=yes; force=no; traefik=traefik.service
  while [ $# -gt 0 ]; do
    case $1 in
      --socket-activation) sockets=yes ;;
      --no-start) start=no ;;
      --force) force=yes ;;
      --take-over)
        action=take_over
        case ${2:-} in ''|-*) ;; *) traefik=${2%.service}.service; shift ;; esac ;;
      --give-back) action=give_back ;;
      --uninstall) action=uninstall ;;
      -h|--help) usage; exit 0 ;;
      *) usage >&2; printf '\n' >&2; say "there is no option $1" >&2; exit 2 ;;
    esac
    shift
  done
  [ "$(id -u)" = 0 ] || die "must run as root: it writes to $PREFIX and $UNITS"
  [ -d /run/systemd/system ] || die "systemd does not run here (no /run/systemd/system): start bin/proxy in another way"
  case $action in
    install) install_release; install_config; install_units phoenix-proxy.service; run_service ;;
    take_over) take_over ;;
    give_back) give_back ;;
    uninstall) uninstall ;;
  esac
}

# ---- program ---------------------------------------------------------------------------------------------------------

# The release that this script is a part of.
find_release() {
  root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
  for part in RELEASE dist/cli.js bin/proxy package.json node_modules config/systemd/phoenix-proxy.service; do
    [ -e "$root/$part" ] ||
      die "$root is no unpacked release ($part is missing): unpack phoenix-proxy-VERSION-linux-x64.tar.gz and run the config/install.sh in it (npm run release makes one)"
  done
  version=$("$root/bin/proxy" --version 2>&1) ||
    die "the program of $root does not run on this machine ($(uname -m)): $version"
  case $version in ''|*[!0-9A-Za-z.+-]*) die "the program of $root says it is version \"$version\": the archive is damaged" ;; esac
}

install_release() {
  find_release
  getent passwd "$ACCOUNT" >/dev/null || {
    useradd --system --user-group --no-create-home --home-dir /var/lib/phoenix-proxy --shell /usr/sbin/nologin "$ACCOUNT"
    say "user $ACCOUNT made"
  }
  before=$(readlink "$PREFIX/current" 2>/dev/null || true)
  target=$PREFIX/releases/$version
  mkdir -p "$PREFIX/releases" "$PREFIX/bin"
  chmod 755 "$PREFIX" "$PREFIX/releases" "$PREFIX/bin"
  if [ "$root" != "$target" ] && ! cmp -s "$root/RELEASE" "$target/RELEASE"; then
    rm -rf "$target.new" "$target.old"
    mkdir "$target.new"
    for part in bin config dist docs lib node_modules package.json package-lock.json README.md SECURITY.md LICENSE RELEASE; do
      [ ! -e "$root/$part" ] || cp -a --reflink=auto "$root/$part" "$target.new/"
    done
    chown -R root:root "$target.new"
    [ ! -e "$target" ] || mv "$target" "$target.old"
    mv "$target.new" "$target"
    rm -rf "$target.old"
  fi
  relink "releases/$version" "$PREFIX/current"
  relink ../current/bin/proxy "$PREFIX/bin/proxy"
  if [ ! -e /usr/local/bin/proxy ] || [ "$(readlink /usr/local/bin/proxy)" = "$PREFIX/bin/proxy" ]; then
    mkdir -p /usr/local/bin
    relink "$PREFIX/bin/proxy" /usr/local/bin/proxy
  fi
  # The release before this one is the way back. One that still runs may load more of itself.
  running=$(readlink /proc/[0-9]*/exe 2>/dev/null || true)
  for old in "$PREFIX"/releases/*; do
    case $old in "$target"|"$PREFIX/$before") continue ;; esac
    case $running in *"$old/"*) ;; *) rm -rf "$old" ;; esac
  done
  say "version $version is in $target"
}

# A link changes from one moment to the next: never is there none.
relink() { ln -sfn "$1" "$2.new" && mv -fT "$2.new" "$2"; }

install_config() {
  mkdir -p "$ETC/dynamic"
  if [ ! -e "$ETC/proxy.yml" ]; then
    cp "$PREFIX/current/config/systemd/proxy.yml" "$ETC/proxy.yml"
    say "$ETC/proxy.yml is a beginning: routes go to $ETC/dynamic/"
  fi
}

# ---- what a configuration needs ---------------------------------------------------------------------------------------

TAB=$(printf '\t')

# What it listens on, reads and writes, as `run` with these flags would have it.
plan() {
  planned=$("$PREFIX/bin/proxy" installation "$@" 2>&1) || die "the configuration is refused: $planned"
}
facts() { printf '%s\n' "$planned" | sed -n "s/^$1$TAB//p"; }

as_account() { setpriv --reuid="$ACCOUNT" --regid="$ACCOUNT" --clear-groups "$@"; }

# ---- units -----------------------------------------------------------------------------------------------------------

# $1: the name the unit gets; further: the flags of `run`.
write_unit() {
  unit=$1; shift
  plan "$@"
  stop_seconds=$(($(facts stop-seconds) + 5))
  {
    sed -e "s|^ExecStart=.*|ExecStart=$PREFIX/bin/proxy run${*:+ $*}|" \
      -e "s|^TimeoutStopSec=.*|TimeoutStopSec=$stop_seconds|" "$PREFIX/current/config/systemd/phoenix-proxy.service"
    [ "$unit" = phoenix-proxy.service ] || printf 'Alias=phoenix-proxy.service\n'
  } >"$UNITS/$unit"
  chmod 644 "$UNITS/$unit"
}

# Where the kernel gives a service no mounts of its own, the unit would fail with 226/NAMESPACE: asked, not guessed.
add_container_drop_in() {
  # shellcheck disable=SC2046 # one word for an option
  set -- $(sed -n 's/^\(\(Protect\|Private\|ProcSubset\)[A-Za-z]*=.*\)$/--property=\1/p' "$UNITS/$unit")
  if systemd-run --quiet --wait "$@" --property=User="$ACCOUNT" /bin/true </dev/null 2>/dev/null; then
    rm -f "$UNITS/$unit.d/lxc.conf"
    return
  fi
  mkdir -p "$UNITS/$unit.d"
  cp "$PREFIX/current/config/systemd/lxc.conf" "$UNITS/$unit.d/lxc.conf"
  say "a service gets no mounts of its own here (a container?): $UNITS/$unit.d/lxc.conf turns those options off"
}

# $1: the file; the sockets of all entry points, for $unit. The proxy finds by the address whose each is.
write_socket() {
  {
    sed -n '1,/^\[Socket\]/p' "$PREFIX/current/config/systemd/phoenix-proxy.socket"
    facts listen | while IFS=$TAB read -r _ address; do printf 'ListenStream=%s\n' "$address"; done
    printf 'Service=%s\n' "$unit"
    sed '1,/^\[Socket\]/d;/^ListenStream=/d' "$PREFIX/current/config/systemd/phoenix-proxy.socket"
  } >"$1"
}

install_units() {
  [ ! -e "$KEPT/unit" ] || die "the proxy runs in the place of $(cat "$KEPT/unit"): upgrade with --take-over, or --give-back first"
  write_unit phoenix-proxy.service
  add_container_drop_in
  if [ "$sockets" = yes ] || [ -e "$UNITS/phoenix-proxy.socket" ]; then
    sockets=yes
    socket_before=$(cat "$UNITS/phoenix-proxy.socket" 2>/dev/null || true)
    write_socket "$UNITS/phoenix-proxy.socket"
    [ "$socket_before" = "$(cat "$UNITS/phoenix-proxy.socket")" ] || new_sockets=yes
  fi
  systemctl daemon-reload
  systemctl enable --quiet "$unit"
  [ "$sockets" = no ] || systemctl enable --quiet phoenix-proxy.socket
}

run_service() {
  [ "$start" = yes ] || { say "installed, not started: systemctl start ${unit%.service}"; return; }
  if [ "$sockets" = yes ] && { [ "$new_sockets" = yes ] || ! systemctl is-active --quiet phoenix-proxy.socket; }; then
    # A socket is not taken from a service that has it.
    systemctl stop phoenix-proxy.socket "$unit" 2>/dev/null || true
    systemctl start phoenix-proxy.socket || die "the sockets cannot be opened: systemctl status phoenix-proxy.socket"
  fi
  if systemctl is-active --quiet "$unit"; then
    say "it runs already. The new code: proxy restart-workers (the workers), systemctl restart ${unit%.service} (all)"
    return
  fi
  systemctl start "$unit" || die "it did not come up: $(why_not "$unit")"
  say "running: $(systemctl show --property=StatusText --value "$unit")"
}

why_not() { journalctl --unit "$1" --lines 5 --output cat --no-pager 2>/dev/null | tr '\n' ' '; printf '(journalctl -u %s)' "${1%.service}"; }

uninstall() {
  [ ! -e "$KEPT/unit" ] || die "the proxy runs in the place of $(cat "$KEPT/unit"): --give-back first"
  for one in phoenix-proxy.socket phoenix-proxy.service; do
    systemctl disable --now --quiet "$one" 2>/dev/null || true
    rm -rf "${UNITS:?}/$one" "$UNITS/$one.d"
  done
  systemctl daemon-reload
  systemctl reset-failed phoenix-proxy.service 2>/dev/null || true
  [ "$(readlink /usr/local/bin/proxy)" != "$PREFIX/bin/proxy" ] || rm -f /usr/local/bin/proxy
  rm -rf "$PREFIX"
  say "removed. These stay, with the user $ACCOUNT: $ETC, /var/lib/phoenix-proxy, /var/log/phoenix-proxy"
}

# ---- in the place of Traefik -----------------------------------------------------------------------------------------

take_over() {
  systemctl cat "$traefik" >/dev/null 2>&1 || die "there is no unit $traefik: name Traefik's (--take-over UNIT)"
  if [ -e "$KEPT/unit" ]; then
    traefik=$(cat "$KEPT/unit")
    install_release
    sockets=no
    # shellcheck disable=SC2046 # flags have no spaces: they were words when they were kept
    write_unit "$traefik" $(cat "$KEPT/flags")
    finish_unit
    systemctl daemon-reload
    run_service
    return
  fi
  systemctl is-active --quiet "$traefik" || die "$traefik does not run: there is nothing to take over"
  if [ -d "$KEPT" ]; then
    say "an earlier take-over was cut short: it is undone first"
    undo_take_over
  fi
  install_release
  mkdir -p "$KEPT"
  chmod 700 "$KEPT"
  # From here on whatever goes wrong is undone.
  trap 'undo_take_over; exit 1' INT TERM HUP
  trap '[ $? = 0 ] || undo_take_over' EXIT
  # shellcheck disable=SC2046 # the words of a command line
  set -- $(flags_of "$traefik")
  say "$traefik runs with: $*"
  plan "$@"
  grant_access
  check_files
  try_out "$@"
  keep_traefik
  write_unit "$traefik" "$@"
  finish_unit
  mkdir -p "$RUNTIME_UNITS"
  write_socket "$RUNTIME_UNITS/phoenix-proxy-take-over.socket"
  systemctl daemon-reload
  switch
  printf '%s\n' "$*" >"$KEPT/flags"
  printf '%s\n' "$traefik" >"$KEPT/unit"
  systemctl enable --quiet "$traefik"
  # The service has its own hold on them by now.
  drop_sockets
  trap - EXIT INT TERM HUP
  say "done. --give-back undoes it"
}

# Traefik's words behind its program; its default file where none is named, which for us is not the first to look for.
flags_of() {
  argv=$(systemctl show --property=ExecStart --value "$1" | sed -n 's/.*argv\[\]=\([^;]*\) ;.*/\1/p')
  # shellcheck disable=SC2086
  set -- $argv
  [ $# -gt 0 ] && shift
  case " $* " in
    *" --configfile"*|*" --configFile"*|*" --config"*) ;;
    *)
      for file in /etc/traefik/traefik.yml /etc/traefik/traefik.yaml /etc/traefik/traefik.toml; do
        [ ! -e "$file" ] || { set -- --config="$file" "$@"; break; }
      done ;;
  esac
  printf '%s\n' "$*"
}

# What only this place needs: where it writes, and what Traefik had in its environment.
finish_unit() {
  {
    printf '\n# Of this installation.\n[Service]\n'
    { facts log; facts access-log; facts secret; } | cut -f1 | while read -r path; do
      printf 'ReadWritePaths=-%s\n' "$(dirname "$path")"
    done | sort -u
    sed -n '/^Environment\(File\)\?=/p' "$KEPT/cat" 2>/dev/null || true
  } >>"$UNITS/$traefik"
  add_container_drop_in
}

# ---- files that belong to root ---------------------------------------------------------------------------------------

# The account gets no more than it needs, by its group; what was before is kept, and --give-back restores it.
grant_access() {
  : >"$KEPT/permissions"
  facts read | while read -r path; do
    [ -e "$path" ] || continue
    reach "$path"
    if [ -d "$path" ]; then may "$path" r-x; else may "$path" r--; fi
  done
  { facts log; facts access-log; } | while read -r path; do
    [ -d "$(dirname "$path")" ] || die "$path: its directory does not exist: make it, and run this again"
    reach "$path"
    may "$(dirname "$path")" rwx
    [ ! -e "$path" ] || may "$path" rw-
  done
  facts secret | cut -f1 | sort -u | while read -r path; do
    reach "$path"
    may "$(dirname "$path")" rwx
    [ ! -e "$path" ] || own "$path"
  done
}

# Every directory above: a closed one hides what is in it.
reach() {
  above=$(dirname "$1")
  [ "$above" = / ] || reach "$above"
  above=$(dirname "$1")
  may "$above" --x
}

# $1: path, $2: what the account must be able to do with it.
may() {
  at=$1; need=$2; lacks=
  case $need in *r*) as_account test -r "$at" || lacks=${lacks}r ;; esac
  case $need in *w*) as_account test -w "$at" || lacks=${lacks}w ;; esac
  case $need in *x*) as_account test -x "$at" || lacks=${lacks}x ;; esac
  [ -n "$lacks" ] || return 0
  group=$(stat -c %G "$at")
  [ "$group" = root ] || [ "$group" = "$ACCOUNT" ] ||
    die "user $ACCOUNT needs $need on $at, whose group $group may have a reason: allow it (setfacl -m u:$ACCOUNT:$need $at), and run this again"
  remember "$at"
  chgrp "$ACCOUNT" "$at"
  chmod "g+$lacks" "$at"
  say "$at: group $ACCOUNT, with $lacks (was $was)"
}

# A file with private keys stays closed to all but its owner.
own() {
  remember "$1"
  chown "$ACCOUNT" "$1"
  say "$1: owner $ACCOUNT (was $was)"
}

remember() {
  was=$(stat -c '%U:%G %a' "$1")
  stat -c "%a$TAB%u$TAB%g$TAB%n" "$1" >>"$KEPT/permissions"
}

# The last change first: a path may be in it twice.
restore_access() {
  [ -e "$KEPT/permissions" ] || return 0
  sed '1!G;h;$!d' "$KEPT/permissions" | while IFS=$TAB read -r mode uid gid path; do
    [ -e "$path" ] || continue
    chown "$uid:$gid" "$path"
    chmod "$mode" "$path"
  done
  rm -f "$KEPT/permissions"
}

# ---- the trial -------------------------------------------------------------------------------------------------------

check_files() {
  config=$(facts config)
  findings=$(as_account "$PREFIX/bin/proxy" check ${config:+--config "$config"} 2>&1) && return 0
  printf '%s\n' "$findings" >&2
  [ "$force" = yes ] || die "the files have errors; $traefik was left alone (--force takes over all the same: what has errors is not served, everything else is)"
}

# Ours on other ports beside Traefik, as the account it will have: every entry point must answer.
try_out() {
  trial=$(mktemp -d /run/phoenix-proxy-trial.XXXXXX)
  chown "$ACCOUNT" "$trial"
  port=$((20000 + $$ % 20000))
  set -- "$@" --log.filePath=
  [ -z "$(facts access-log)" ] || set -- "$@" "--accessLog.filePath=$trial/access.log"
  for name in $(facts listen | cut -f1); do
    port=$((port + 1))
    set -- "$@" "--entryPoints.$name.address=127.0.0.1:$port"
  done
  # No certificate is ordered by a trial: it has a copy of the storage, and its CA does not answer.
  for name in $(facts secret | cut -f2); do
    storage=$(facts secret | sed -n "s/$TAB$name\$//p")
    [ ! -e "$storage" ] || install -m 600 -o "$ACCOUNT" "$storage" "$trial/$name.json"
    set -- "$@" "--certificatesResolvers.$name.acme.storage=$trial/$name.json" "--certificatesResolvers.$name.acme.caAddress=127.0.0.1:9"
  done
  RUNTIME_DIRECTORY=$trial TMPDIR=$trial as_account "$PREFIX/bin/proxy" run "$@" >"$trial/output" 2>&1 &
  trial_pid=$!
  until_ms=$(($(now_ms) + TRIAL_WITHIN_S * 1000))
  while [ "$port" -gt $((20000 + $$ % 20000)) ]; do
    if answers 127.0.0.1 "$port"; then port=$((port - 1)); continue; fi
    kill -0 "$trial_pid" 2>/dev/null || end_trial "the proxy does not start on these files"
    [ "$(now_ms)" -lt "$until_ms" ] || end_trial "not every entry point answered within $TRIAL_WITHIN_S s"
    sleep 0.1
  done
  kill "$trial_pid"
  wait "$trial_pid" || true
  rm -rf "$trial"
  say "checked: on other ports every entry point answers"
}

end_trial() {
  kill "$trial_pid" 2>/dev/null || true
  wait "$trial_pid" 2>/dev/null || true
  cat "$trial/output" >&2
  rm -rf "$trial"
  die "$1; $traefik was left alone"
}

# Whether an HTTP answer comes, whatever it is, over TCP or TLS.
answers() {
  LD_LIBRARY_PATH=$PREFIX/current/lib "$PREFIX"/current/node_modules/node-linux-*/bin/node -e '
    const [host, port] = process.argv.slice(1);
    const ask = (how, otherwise) =>
      require(how).get({ host, port, agent: false, rejectUnauthorized: false, timeout: 2000 }, () => process.exit(0))
        .on("timeout", function () { this.destroy(); }).on("error", otherwise);
    ask("http", () => ask("https", () => process.exit(1)));' "$1" "$2"
}

# ---- the switch ------------------------------------------------------------------------------------------------------

keep_traefik() {
  systemctl cat "$traefik" >"$KEPT/cat"
  systemctl is-enabled "$traefik" >"$KEPT/enabled" 2>/dev/null || true
  : >"$KEPT/kept"
  for one in "$traefik" "$traefik.d"; do
    [ ! -e "$UNITS/$one" ] || { rm -rf "${KEPT:?}/$one"; mv "$UNITS/$one" "$KEPT/$one"; }
  done
}

# Traefik's unit goes, the sockets are opened at once, and what comes before the proxy is up waits in them.
switch() {
  closed=$(now_ms)
  systemctl stop --no-block "$traefik"
  while ! is_down "$traefik"; do
    [ $(($(now_ms) - closed)) -lt "$TRAEFIK_GRACE_MS" ] ||
      systemctl kill --signal=KILL "$traefik" 2>/dev/null || true
    sleep 0.02
  done
  systemctl start phoenix-proxy-take-over.socket || die "the ports cannot be opened: $(why_not phoenix-proxy-take-over.socket)"
  opened=$(now_ms)
  timeout "$READY_WITHIN_S" systemctl start "$traefik" || die "the proxy did not come up: $(why_not "$traefik")"
  answered=$(now_ms)
  say "the ports were closed for $((opened - closed)) ms, the first answer came within $((answered - closed)) ms"
}

is_down() { case $(systemctl show --property=ActiveState --value "$1") in inactive|failed) ;; *) return 1 ;; esac; }

drop_sockets() {
  systemctl stop phoenix-proxy-take-over.socket 2>/dev/null || true
  rm -f "$RUNTIME_UNITS/phoenix-proxy-take-over.socket"
  systemctl daemon-reload
}

# Traefik as it was.
bring_back() {
  systemctl disable --quiet "$traefik" 2>/dev/null || true
  rm -rf "${UNITS:?}/$traefik" "$UNITS/$traefik.d" "$UNITS/phoenix-proxy.service"
  for one in "$traefik" "$traefik.d"; do
    [ ! -e "$KEPT/$one" ] || mv "$KEPT/$one" "$UNITS/$one"
  done
  systemctl daemon-reload
  [ "$(cat "$KEPT/enabled" 2>/dev/null)" != enabled ] || systemctl enable --quiet "$traefik"
}

undo_take_over() {
  trap - EXIT INT TERM HUP
  if [ -e "$KEPT/kept" ]; then
    systemctl stop "$traefik" phoenix-proxy-take-over.socket 2>/dev/null || true
    bring_back
    drop_sockets
    systemctl reset-failed "$traefik" 2>/dev/null || true
    if systemctl start "$traefik"; then say "$traefik runs again, as before" >&2
    else say "$traefik does not start any more: $(why_not "$traefik")" >&2; fi
  fi
  restore_access
  rm -rf "$KEPT"
}

give_back() {
  [ -e "$KEPT/unit" ] || die "nothing was taken over: there is nothing to give back"
  traefik=$(cat "$KEPT/unit")
  bring_back
  closed=$(now_ms)
  systemctl stop "$traefik"
  restore_access
  systemctl start "$traefik" || die "$traefik does not start: $(why_not "$traefik")"
  say "$traefik runs again, after $(($(now_ms) - closed)) ms"
  rm -rf "$KEPT"
}

main "$@"
