"""The notes' hybrid, S_user · R · S_item, and its additive form."""
