# For the other scripts here: `install_missing PACKAGE...` installs packages of the distribution, asking nothing.
export DEBIAN_FRONTEND=noninteractive

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_missing() { # PACKAGE...
  [ $# -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then echo "please install $*, then call make again" >&2; exit 1; fi
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "to install $* root is needed: run \`sudo apt-get install $*\`, then call make again" >&2; exit 1
  fi
  echo "installing $*"
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
