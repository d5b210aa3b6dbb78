"""Variables by which libraries use the machine well; they read them as they are loaded."""

ENVIRONMENT = {
    # The parts have threads of their own; those of OpenBLAS would only wait, busily.
    "OPENBLAS_NUM_THREADS": "1",
    # glibc: one heap for all threads, from which columns come and to which they go back. By
    # default each column is memory fresh from the system, cleared and given back: a tenth of all
    # the time that goes into the wide tables, and no less memory.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}
