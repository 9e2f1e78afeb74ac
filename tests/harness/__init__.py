"""What the test suites share: starting servers, speaking to them, making images."""
