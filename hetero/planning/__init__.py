"""Graph + machine + samples -> plan. Each file is one step; ``hetero.planner`` puts them in order."""
