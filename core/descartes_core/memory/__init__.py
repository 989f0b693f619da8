"""What is remembered: notes, the board of a session, wisdom, and two general memories."""
