# What the machine must bring; anything missing is said in one sentence, with exit code 2.

FREE_GIB_FIRST=15  # compiling needs the space; the result and its caches stay
FREE_GIB_LATER=4

check_machine() {
  [ "$(uname -s)" = Linux ] ||
    lacking "The test cluster needs Linux: run it in a Linux machine, or set KUBECONFIG and IMAGE_REGISTRY to a real cluster."
  [ "$(id -u)" = 0 ] ||
    lacking "The test cluster makes namespaces and network links: run it as root."
}

check_prerequisites() {
  [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] && command -v apt-get >/dev/null ||
    lacking "The test cluster takes its packages from Debian 12 (bookworm): run it there, or set KUBECONFIG and IMAGE_REGISTRY to a real cluster."
  command -v go >/dev/null ||
    lacking "The test cluster compiles Kubernetes: install Go 1.21 or newer and put it on the PATH."
  unshare --mount --pid --net --uts --ipc --fork true 2>/dev/null ||
    lacking "A node needs namespaces of its own, which this machine forbids: run it in a privileged container or a virtual machine."
  cgroups_writable ||
    lacking "A node needs cgroups of its own, but /sys/fs/cgroup cannot be written: run it in a privileged container or a virtual machine."
  case $STATE/ in /var/* | /run/* | /proc/* | /sys/*)
    lacking "A node hides $STATE behind its own /var and /run: choose another folder in ALIGNMENT_CLUSTER_STATE." ;;
  esac
  mkdir -p "$STATE"
  local free needed=$FREE_GIB_LATER
  free=$(($(df --output=avail --block-size=1M "$STATE" | tail -1) / 1024))
  [ -e "$BIN/.training-operator" ] || needed=$FREE_GIB_FIRST
  [ "$free" -ge "$needed" ] ||
    lacking "The test cluster needs $needed GiB of free disk and $STATE has $free GiB: free some, or choose another folder in ALIGNMENT_CLUSTER_STATE."
}

lacking() { say "$*"; exit 2; }
