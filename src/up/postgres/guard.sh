# Usage: sh -c guard.sh name REMOVE program argument…
# Runs the program until standard input closes, which happens when the parent closes it or ends.
# REMOVE is a directory to remove afterwards, or empty. It stays if the program ended by itself: the
# parent reads the log in it.
remove=$1
shift
rm -f stopping
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{
    # Nothing is ever written: read returns when the other end is closed.
    read -r _ <&3
    : >stopping
    kill -INT "$server"
    sleep 10
    kill -QUIT "$server"
} 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
if [ -n "$remove" ] && [ -e stopping ]; then
    rm -rf "$remove"
fi
exit "$status"
