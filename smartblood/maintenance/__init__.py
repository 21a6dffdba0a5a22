"""What has to be done to the record every night and every day, beside recording."""
