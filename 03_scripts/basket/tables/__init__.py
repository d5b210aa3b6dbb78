"""Tables on disk, and the stage that reads and writes them."""
