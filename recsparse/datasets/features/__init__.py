"""What is known of an id besides its rows: text, categories and numbers."""
