#!/bin/sh
# The core is a function of its arguments: no file, socket, clock, environment or log in it. Looks at the sources and at
# what the library asks the linker for.
set -eu
sources=$1
library=$2
bad=0
if grep -nE '<(zmq|yaml|unistd|fcntl|sys/socket|sys/stat|time|signal|pthread)\.h>|kpid/log\.h|"(log|socket|ingest)\.h"' "$sources"/*.[ch]; then
    bad=1
fi
asked=$(nm -u "$library" | awk '{print $NF}' | sort -u |
    grep -xE '(open|fopen|read|write|socket|send|recv|time|clock_gettime|gettimeofday|localtime|tzset|getenv|zmq_.*|yaml_.*|printf|fprintf|puts|syslog|pthread_.*|sleep|nanosleep)(@.*)?' || true)
if [ -n "$asked" ]; then
    echo "the core calls: $asked"
    bad=1
fi
exit $bad
