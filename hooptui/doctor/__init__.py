"""`hooptui doctor`: tries everything that a configuration promises, and says how to mend what does not work."""
