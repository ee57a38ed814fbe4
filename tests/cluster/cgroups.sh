# The cgroups in which the kubelet of one node keeps its pods: two kubelets must not share a tree.

CGROUPS=/sys/fs/cgroup

cgroup_of() { echo "alignment-node-$1"; }

# cgroups v1 has one hierarchy per controller, v2 a single one.
cgroup_hierarchies() {
  if [ -e $CGROUPS/cgroup.controllers ]; then
    echo $CGROUPS
  else
    find $CGROUPS -mindepth 2 -maxdepth 2 -name cgroup.procs -printf '%h\n'
  fi
}

cgroups_writable() {
  local hierarchy=
  for hierarchy in $(cgroup_hierarchies); do
    mkdir "$hierarchy/alignment-probe" && rmdir "$hierarchy/alignment-probe" || return 1
  done 2>/dev/null
  [ -n "$hierarchy" ]
}

make_cgroups() { # NODE
  local hierarchy controller file
  for hierarchy in $(cgroup_hierarchies); do
    mkdir -p "$hierarchy/$(cgroup_of "$1")"
  done
  if [ -e $CGROUPS/cgroup.controllers ]; then
    for controller in $(cat $CGROUPS/cgroup.controllers); do
      echo "+$controller" >$CGROUPS/cgroup.subtree_control || true
    done
  else
    # a new cpuset is empty: no process can run in it before it gets CPUs and memory
    for file in cpuset.cpus cpuset.mems; do
      cat $CGROUPS/cpuset/$file >"$CGROUPS/cpuset/$(cgroup_of "$1")/$file"
    done
  fi
}

# A dead node leaves only empty cgroups.
remove_cgroups() { # NODE
  local hierarchy tree
  for hierarchy in $(cgroup_hierarchies); do
    tree=$hierarchy/$(cgroup_of "$1")
    within 10 removed_cgroup "$tree" || fail "$tree is still in use."
  done
}

removed_cgroup() {
  [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} \;
  [ ! -d "$1" ]
}
