"""What runs on this machine where no address of a broker or a database is set: for trying out, and for tests."""
