"""The expression language: conditions and templates over JSON values, with no way out of them.

    task.priority > 5 && tool.args.path contains "secret"
    ${if task.completed then "done" else "pending"}   ${task.title | uppercase | truncate(100)}

`evaluate` one expression, `parse` it to see whether it is one, `render` a text with `${…}` in it.
"""

from descartes_core.expressions.evaluation import evaluate
from descartes_core.expressions.parsing import ExpressionError, UnknownName, parse
from descartes_core.expressions.templates import has_expressions, render

__all__ = ["ExpressionError", "UnknownName", "evaluate", "has_expressions", "parse", "render"]
