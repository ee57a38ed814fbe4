# Starts long-running processes and finds them again by their pid files.

# A pid file holds the pid and the start time of the process, because the kernel reuses pids.
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

# Prints nothing for a zombie, because its parent may never reap it.
start_time() { # PID
  awk '$3 != "Z" { print $22 }' "/proc/$1/stat" 2>/dev/null
}
