"""What a run may do by itself, what it must ask about, and the queue of those questions."""
