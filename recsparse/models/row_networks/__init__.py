"""Networks over whole rows of the user-item grid."""
