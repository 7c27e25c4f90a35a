"""Running a plan: compile it to a program, execute the program here or on a cluster."""
