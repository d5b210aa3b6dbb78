"""How it runs: the pipeline and its kernels."""
