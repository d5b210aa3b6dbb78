"""Variables by which libraries use the machine well; they read them as they are loaded."""

ENVIRONMENT = {
    # The parts have threads of their own; those of OpenBLAS would only wait, busily.
    "OPENBLAS_NUM_THREADS": "1",
    # glibc: one heap for all threads, from which columns come and to which they go back. By
    # default most columns are memory fresh from the system, cleared and given back (D-35).
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}
