"""Who gets in, and what they hold: the doorman of every listener, leases, grants and lock-outs, logins, and the seats at the desk."""
