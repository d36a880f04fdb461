"""Other libraries doing the work of ours, each as well as it can."""
