# Helpers of all steps: print, fail, wait, and skip a step whose result exists.

say() { echo "cluster: $*" >&2; }

fail() { say "$*"; exit 1; }

# once STAMP FUNCTION ARGUMENT...: calls the function unless the same code already succeeded with the
# same arguments. The stamp is in the folder of the result, so deleting the folder also deletes the stamp.
once() {
  local stamp=$1 wanted
  shift
  wanted="$* $(declare -f "$1" | cksum)"
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  say "${1//_/ } ${2:-}"
  mkdir -p "$(dirname "$stamp")"
  "$@"
  echo "$wanted" >"$stamp"
}

# within SECONDS COMMAND...: repeats the command until it succeeds; fails after that time.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}
