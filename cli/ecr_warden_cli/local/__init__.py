"""An AWS of one's own: moto, the stack as the template declares it, and the functions reacting to events."""
