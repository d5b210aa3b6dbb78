"""Is it right: verify, published figures, reproduce, send."""
