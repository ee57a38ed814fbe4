# Checks the machine; exits with code 2 and one sentence about what is missing.

FREE_GIB_FIRST=15  # compiling needs this space; the programs and the caches remain
FREE_GIB_LATER=4

check_machine() {
  [ "$(uname -s)" = Linux ] ||
    lacking "The test cluster needs Linux: run it in a Linux machine, or set KUBECONFIG and IMAGE_REGISTRY to a real cluster."
  [ "$(id -u)" = 0 ] ||
    lacking "The test cluster creates namespaces and network links: run it as root."
}

check_prerequisites() {
  [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] && command -v apt-get >/dev/null ||
    lacking "The test cluster installs packages of Debian 12 (bookworm): run it there, or set KUBECONFIG and IMAGE_REGISTRY to a real cluster."
  command -v go >/dev/null ||
    lacking "The test cluster compiles Kubernetes: install Go 1.21 or newer and put it on the PATH."
  unshare --mount --pid --net --uts --ipc --fork true 2>/dev/null ||
    lacking "A node needs its own namespaces, which this machine forbids: run the test cluster in a privileged container or a virtual machine."
  cgroups_writable ||
    lacking "A node needs its own cgroups, but /sys/fs/cgroup is not writable: run the test cluster in a privileged container or a virtual machine."
  case $STATE/ in /var/* | /run/* | /proc/* | /sys/*)
    lacking "A node mounts its own /var and /run over $STATE: set ALIGNMENT_CLUSTER_STATE to another folder." ;;
  esac
  mkdir -p "$STATE"
  local free needed=$FREE_GIB_LATER
  free=$(($(df --output=avail --block-size=1M "$STATE" | tail -1) / 1024))
  [ -e "$BIN/.training-operator" ] || needed=$FREE_GIB_FIRST
  [ "$free" -ge "$needed" ] ||
    lacking "The test cluster needs $needed GiB of free disk, but $STATE has $free GiB: free some space, or set ALIGNMENT_CLUSTER_STATE to another folder."
}

lacking() { say "$*"; exit 2; }
