"""The notebooks as pages."""
