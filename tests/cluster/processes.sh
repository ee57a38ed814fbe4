# Long-running processes, found again by pid files only.

# A pid file holds the pid and its start time, because the kernel gives a pid to another process later.
launch() { # PIDFILE LOG COMMAND...
  local pidfile=$1 log=$2
  shift 2
  setsid "$@" </dev/null >"$log" 2>&1 &
  echo "$! $(start_time $!)" >"$pidfile"
}

alive() { # PIDFILE
  local pid start
  { read -r pid start <"$1"; } 2>/dev/null && [ "$(start_time "$pid")" = "$start" ]
}

dead() { ! alive "$1"; }

pid_of() { # PIDFILE
  cut -d' ' -f1 "$1"
}

# Nothing for a zombie: it only waits for a parent that may never ask for it.
start_time() { # PID
  awk '$3 != "Z" { print $22 }' "/proc/$1/stat" 2>/dev/null
}
