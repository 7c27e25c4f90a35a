"""Device families, one file each: see ``hetero.device.Backend`` for what such a file offers."""
