"""From a goal to a plan: what a model is asked, how its answer is read, how a plan is changed."""
