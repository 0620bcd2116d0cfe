"""The door to the planner by the name that the system was first described with."""

from core.planning.planner import LLMPlanner

__all__ = ["LLMPlanner"]
