"""Variables by which libraries use the machine well, read as they are loaded; limits of memory."""

import contextlib

import psutil

ENVIRONMENT = {
    # The parts have threads of their own; those of OpenBLAS would only wait, busily.
    "OPENBLAS_NUM_THREADS": "1",
    # glibc: one heap for all threads, from which columns come and to which they go back. By
    # default most columns are memory fresh from the system, cleared and given back (D-35).
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}


LEAST_FOR_A_RUN = 2 * 2**30  # bytes; what starts the notebooks needs a tenth of it


def limit_memory(share: float, process: int = 0) -> bool:
    """Limit the memory of a process, by default this run's own.

    Return whether the system can: Linux.
    """
    try:
        from resource import RLIM_INFINITY, RLIMIT_DATA, getrlimit, prlimit
    except ImportError:
        return False
    memory = int(psutil.virtual_memory().total * share)
    memory = memory if process else max(memory, LEAST_FOR_A_RUN)
    most = getrlimit(RLIMIT_DATA)[1]
    allowed = memory if most == RLIM_INFINITY else min(memory, most)
    with contextlib.suppress(ProcessLookupError):
        prlimit(process, RLIMIT_DATA, (allowed, most))
    return True
