# Nodes from outside: switches power and cable, and reads their state in Kubernetes.

# The launcher waits for process 1 of the node's namespaces; if one of the two ends, so does the other.
launcher() { echo "$STATE/node-$1/launcher.pid"; }

running() { alive "$(launcher "$1")" && first_process "$1" >/dev/null; }

# A dying process exists until the whole node is dead, but it has no command line.
first_process() { # NODE
  local pid
  pid=$(pgrep --parent "$(pid_of "$(launcher "$1")")")
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q . && echo "$pid"
}

power_on() { # NODE
  # a running node without cable cannot be repaired, because its address and routes are gone too
  if ! running "$1" || lacks_link "$(cable "$1")"; then
    power_off "$1"
    mkdir -p "$STATE/node-$1"
    launch "$(launcher "$1")" "$STATE/node-$1/power.log" \
      unshare --mount --pid --net --uts --ipc --fork --kill-child --mount-proc bash "$HERE/node.sh" "$1"
    within 10 first_process "$1" || fail "node-$1 does not start: see $STATE/node-$1/power.log."
  fi
  plug_in "$1" "$(first_process "$1")"
}

power_off() { # NODE
  if alive "$(launcher "$1")"; then
    kill -9 "$(first_process "$1" || pid_of "$(launcher "$1")")" 2>/dev/null || true
    within 30 dead "$(launcher "$1")" || fail "node-$1 does not die."
  fi
  clear_remains "$1"
}

# The kernel has removed processes, mounts and packet filter rules together with the namespaces.
clear_remains() { # NODE
  unplug "$1"
  remove_cgroups "$1"
  rm -f "$(launcher "$1")"
}

# A restarted node may still count as Ready from before; wait for a newer heartbeat.
await_ready() { # NODE SINCE
  within 120 ready_since "$1" "$2" || fail "node-$1 does not become Ready: see $STATE/node-$1/var/log."
}

ready_since() { # NODE SINCE
  local status heartbeat
  read -r status heartbeat < <(kubectl get node "node-$1" --request-timeout 5s -o \
    jsonpath='{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{"\n"}{end}')
  [ "$status" = True ] && [[ ! $heartbeat < $2 ]]
}

now() { date --utc +%Y-%m-%dT%H:%M:%SZ; }

# The scheduler trusts the GPUs that a node reports. A restarting kubelet removes them, because no device plugin reports them.
claim_gpus() { # NODE
  local quantity="\"nvidia.com/gpu\": \"$GPUS\""
  kubectl patch node "node-$1" --subresource status --type merge \
    --patch "{\"status\": {\"capacity\": {$quantity}, \"allocatable\": {$quantity}}}" >/dev/null
  kubectl label node "node-$1" --overwrite "nvidia.com/gpu.product=$GPU_PRODUCT" >/dev/null
}
