"""What a user does: plan, then run; jobs, lanes and history."""
