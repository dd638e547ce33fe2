/**
 * The shell program that owns a temporary cluster. Node may be killed at any moment without a chance to clean up;
 * this process then sees its pipe close, stops the server and removes the directory. It lives in a session of its
 * own, so that Ctrl-C in a terminal reaches Node only.
 *
 * Standard input: the password on the first line; afterwards either the word `detach` (the server shall outlive
 * Node) or the end of the pipe (stop).
 */
const FUNCTIONS = `
set -u
umask 077
stopping=
child=
trap 'stopping=1; trap "" HUP INT TERM; stop_child' HUP INT TERM

# A signal only ends a wait, so ask whether the program itself has ended. The signal may also come before the
# program has a pid to stop, hence the question after its start.
run() {
  [ -z "$stopping" ] || return 1
  "$@" </dev/null >>"$directory/server.log" 2>&1 &
  child=$!
  [ -z "$stopping" ] || stop_child
  while :; do
    wait "$child"
    code=$?
    if [ $code -eq 127 ] || ! kill -0 "$child" 2>/dev/null; then break; fi
  done
  child=
  return $code
}

# SIGINT is repeated: sent before the program has its handler it is lost, as sh starts background programs with
# SIGINT ignored. After 10 s of fast shutdown an immediate one is tried, after 20 s the last resort.
stop_child() {
  tries=0
  while [ -n "$child" ] && kill -0 "$child" 2>/dev/null; do
    tries=$((tries + 1))
    signal=INT
    [ $tries -le 200 ] || signal=QUIT
    [ $tries -le 400 ] || signal=KILL
    kill -$signal "$child" 2>/dev/null
    sleep 0.05
  done
}

watch_pipe() {
  if IFS= read -r word && [ "$word" = detach ]; then exit 0; fi
  kill -TERM $$
}

open_cluster() {
  directory=$1
  mkdir "$directory" || exit 70
  echo "$$ $2" >"$directory/supervisor.pid"
  exec 3<&0 </dev/null
  IFS= read -r password <&3 && printf '%s\\n' "$password" >"$directory/password"
  watch_pipe <&3 3<&- &
  watcher=$!
  exec 3<&-
}

# While Node listens the directory stays, so that it can read why the server ended.
close_cluster() {
  if [ -z "$stopping" ]; then
    echo "$1" >"$directory/ended"
    wait "$watcher"
  fi
  kill "$watcher" 2>/dev/null
  rm -rf "$directory"
  exit 0
}
`;

/** One command of the supervisor: program and arguments. */
export type Command = readonly string[];

/** The text of a supervisor that runs the commands one after the other in a directory of its own. */
export function supervisorScript(
  directory: string,
  pidNamespace: string,
  commands: readonly Command[],
): string {
  const steps = commands.map((command) => `run ${words(command)}`).join(' &&\n');
  return `${FUNCTIONS}\nopen_cluster ${words([directory, pidNamespace])}\n${steps}\nclose_cluster $?\n`;
}

function words(command: Command): string {
  return command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}
