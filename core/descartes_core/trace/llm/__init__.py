"""Models that planners ask."""

from descartes_core.trace.llm.base import LLMError, LLMProvider
from descartes_core.trace.llm.ollama import OllamaProvider

__all__ = ["LLMError", "LLMProvider", "OllamaProvider"]
