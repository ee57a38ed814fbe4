# The bridge between this machine and the nodes, and the cable (veth pair) from the bridge to each node.

cable() { echo "veth-node-$1"; }

has_link() { ip link show "$1" >/dev/null 2>&1; }

lacks_link() { ! has_link "$1"; }

make_bridge() {
  has_link $BRIDGE || ip link add $BRIDGE type bridge
  ip address replace $HOST/24 dev $BRIDGE
  ip link set $BRIDGE up
}

remove_bridge() {
  lacks_link $BRIDGE || ip link delete $BRIDGE
}

plug_in() { # NODE PID
  has_link "$(cable "$1")" || ip link add "$(cable "$1")" type veth peer name eth0 netns "$2"
  ip link set "$(cable "$1")" master $BRIDGE up
  # lets this machine reach pods, not only nodes
  ip route replace "$PODS.$1.0/24" via "$(address "$1")"
}

# The kernel removes the cable together with the node's network namespace, but with a delay.
unplug() { # NODE
  lacks_link "$(cable "$1")" || ip link delete "$(cable "$1")" 2>/dev/null || true
  within 10 lacks_link "$(cable "$1")" || fail "The link $(cable "$1") does not go away."
}

cut_off() { ip link set "$(cable "$1")" down; }

is_cut_off() { ! ip link show "$(cable "$1")" 2>/dev/null | grep -q '[<,]UP[,>]'; }

reconnect() { ip link set "$(cable "$1")" up; }
