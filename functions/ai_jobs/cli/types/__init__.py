"""`ai-jobs types`: job types before they take effect."""
