# The image registry that the nodes pull from; it runs on this machine, and nodes reach it over the bridge.

start_registry() {
  ! alive "$STATE/registry.pid" || return 0
  mkdir -p "$STATE/registry"
  cat >"$STATE/registry.yaml" <<CONFIG
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: "$STATE/registry"}}
http: {addr: "$REGISTRY"}
CONFIG
  launch "$STATE/registry.pid" "$STATE/registry.log" docker-registry serve "$STATE/registry.yaml"
  within 20 registry_answers || fail "The registry does not answer: see $STATE/registry.log."
}

registry_answers() { curl -sf --noproxy '*' --max-time 5 "http://$REGISTRY/v2/"; }

stop_registry() {
  if alive "$STATE/registry.pid"; then
    kill "$(pid_of "$STATE/registry.pid")"
    within 20 dead "$STATE/registry.pid" || fail "The registry does not end."
  fi
  rm -f "$STATE/registry.pid"
}
