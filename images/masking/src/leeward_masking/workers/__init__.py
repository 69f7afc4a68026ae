"""Several pods at one job."""
