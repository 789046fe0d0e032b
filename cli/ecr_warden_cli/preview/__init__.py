"""What each channel would send, as JSON and as a page that shows it as people would see it."""
