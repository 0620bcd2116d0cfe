"""The door to the orchestrator by the name that the system was first described with."""

from core.running.steps.orchestrator import AutonomousOrchestrator

__all__ = ["AutonomousOrchestrator"]
