"""The hybrid of user and item similarity, S_user · R · S_item, and its additive form."""
